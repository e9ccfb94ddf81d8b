#include "config/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>

namespace rw::config {
namespace {

TEST(Address, Ipv4) {
  const auto parsed = parse_address("127.0.0.1:8443");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->what, address::kind::ip);
  EXPECT_EQ(parsed->port, 8443);
  ASSERT_EQ(parsed->length, sizeof(sockaddr_in));
  sockaddr_in raw{};
  std::memcpy(&raw, parsed->raw(), sizeof raw);
  EXPECT_EQ(raw.sin_family, AF_INET);
  EXPECT_EQ(ntohs(raw.sin_port), 8443);
  EXPECT_EQ(ntohl(raw.sin_addr.s_addr), 0x7f000001U);
}

TEST(Address, Ipv6) {
  const auto parsed = parse_address("[2001:db8::1]:0");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->length, sizeof(sockaddr_in6));
  sockaddr_in6 raw{};
  std::memcpy(&raw, parsed->raw(), sizeof raw);
  EXPECT_EQ(raw.sin6_family, AF_INET6);
  EXPECT_EQ(raw.sin6_port, 0);
  EXPECT_EQ(raw.sin6_addr.s6_addr[15], 1);
}

TEST(Address, HostNamesAreLeftToTheResolver) {
  const auto parsed = parse_address("Origin.Internal.:5001");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->what, address::kind::host_name);
  EXPECT_EQ(parsed->host, "origin.internal");
  EXPECT_EQ(parsed->port, 5001);
  EXPECT_EQ(parsed->length, 0U);
}

TEST(Address, UnixSocketsUpToWhatTheKernelTakes) {
  const std::string longest = "/" + std::string(106, 'a');
  const auto parsed = parse_address("unix:" + longest);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->what, address::kind::unix_path);
  sockaddr_un raw{};
  std::memcpy(&raw, parsed->raw(), sizeof raw);
  EXPECT_EQ(raw.sun_path, longest);
  EXPECT_FALSE(parse_address("unix:" + longest + "a"));
  EXPECT_FALSE(parse_address("unix:relative"));
  EXPECT_FALSE(parse_address("unix:"));
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* bad : {"",
                          ":",
                          "8443",
                          "127.0.0.1",
                          "127.0.0.1:",
                          "127.0.0.1:65536",
                          "127.0.0.1:-1",
                          "127.0.0.1:08443000",
                          "127.0.0.1:80x",
                          ":8443",
                          "*:8443",
                          "::1:8443",
                          "[::1]",
                          "[::1]8443",
                          "[::1:8443",
                          "[fe80::1%eth0]:1",
                          "[127.0.0.1]:80",
                          "1.2.3:80",
                          "256.1.1.1:80",
                          "0x7f.1:80",
                          "a..b:80",
                          ".a:80",
                          "a b:80",
                          "http://a:80",
                          "a/b:80"}) {
    const auto parsed = parse_address(bad);
    EXPECT_FALSE(parsed) << bad;
    if (!parsed) {
      EXPECT_EQ(parsed.error().code, fault::invalid);
      EXPECT_STRNE(parsed.error().text, "");
    }
  }
  EXPECT_FALSE(parse_address(std::string_view("127.0.0.1\0.evil:80", 18)));
}

TEST(Address, KnowsItsOwnMachine) {
  for (const char* local :
       {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"}) {
    EXPECT_TRUE(is_loopback(*parse_address(local))) << local;
  }
  for (const char* remote :
       {"0.0.0.0:1", "[::]:1", "[::ffff:10.0.0.1]:1", "128.0.0.1:1", "localhost:1"}) {
    EXPECT_FALSE(is_loopback(*parse_address(remote))) << remote;
  }
}

}  // namespace
}  // namespace rw::config
