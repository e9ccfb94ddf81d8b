#include "net/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <string>

namespace rw::net {
namespace {

endpoint endpoint_of(const char* text, std::uint16_t port) {
  sockaddr_storage at{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(at);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(at);
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
  }
  return to_endpoint(at);
}

std::string text_of(const config::ip16& ip) { return std::string(endpoint_text(ip).view()); }

TEST(Address, IsReadFromTheKernelAndWrittenForLogs) {
  for (const char* text : {"192.0.2.1", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::1",
                           "::", "fe80::1234:5678:9abc:def0", "2001:db8:1:2:3:4:5:6"}) {
    const endpoint made = endpoint_of(text, 4711);
    EXPECT_EQ(text_of(made.ip), text);
    EXPECT_EQ(made.port, 4711);
    EXPECT_FALSE(made.is_unix);
  }
}

// One client is one address, whichever family its socket has.
TEST(Address, MappedIsTheSameAsIPv4) {
  EXPECT_EQ(endpoint_of("::ffff:192.0.2.1", 1).ip, endpoint_of("192.0.2.1", 1).ip);
  EXPECT_EQ(text_of(endpoint_of("::ffff:192.0.2.1", 1).ip), "192.0.2.1");
  EXPECT_NE(endpoint_of("::192.0.2.1", 1).ip, endpoint_of("192.0.2.1", 1).ip);
}

TEST(Address, AUnixPeerHasNone) {
  sockaddr_storage at{};
  at.ss_family = AF_UNIX;
  const endpoint made = to_endpoint(at);
  EXPECT_TRUE(made.is_unix);
  EXPECT_EQ(made.ip, config::ip16{});
  EXPECT_EQ(endpoint_text(made.ip, made.is_unix).view(), "unix");
}

TEST(Address, ParsesWhatProxiesWrite) {
  const std::pair<const char*, const char*> good[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"192.0.2.1:80", "192.0.2.1"},
      {"2001:db8::1", "2001:db8::1"},
      {"[2001:db8::1]", "2001:db8::1"},
      {"[2001:DB8:0::1]:443", "2001:db8::1"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"[::ffff:192.0.2.1]:1", "192.0.2.1"},
      {"::", "::"},
  };
  for (const auto& [text, expected] : good) {
    config::ip16 ip;
    ASSERT_TRUE(parse_ip(text, ip)) << text;
    EXPECT_EQ(text_of(ip), expected);
  }
}

TEST(Address, RefusesEverythingElse) {
  for (const std::string_view bad : {"",
                                     ":",
                                     "unknown",
                                     "_hidden",
                                     "192.0.2",
                                     "192.0.2.1.5",
                                     "192.0.2.256",
                                     "192.0.2.01",
                                     "1e3",
                                     "localhost:80",
                                     "[2001:db8::1",
                                     "[2001:db8::1]80",
                                     "2001:db8::1::2",
                                     "[]",
                                     "[]:1",
                                     ":80",
                                     "2001:db8::g",
                                     " 192.0.2.1",
                                     "192.0.2.1 ",
                                     "fe80::1%eth0",
                                     "[192.0.2.1",
                                     "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
                                     "\"192.0.2.1\""}) {
    config::ip16 ip;
    EXPECT_FALSE(parse_ip(bad, ip)) << bad;
  }
}

// A NUL would end the text for inet_pton() and not for whoever logs it.
TEST(Address, RefusesWhatFollowsANul) {
  config::ip16 ip;
  EXPECT_FALSE(parse_ip(std::string_view("192.0.2.1\0junk", 14), ip));
  EXPECT_FALSE(parse_ip(std::string_view("::1\0", 4), ip));
}

}  // namespace
}  // namespace rw::net
