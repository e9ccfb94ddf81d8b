#include "net/proxy_header.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace rw::net {
namespace {

using std::string_literals::operator""s;
using config::proxy_protocol;

const std::string start = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(char command, char family, const std::string& block) {
  return start + command + family + static_cast<char>(block.size() >> 8U) +
         static_cast<char>(block.size() & 0xffU) + block;
}

std::string text(const endpoint& one) {
  return std::string(endpoint_text(one.ip).view()) + " " + std::to_string(one.port);
}

// What it says of a header that is whole; also that every beginning of it is partial, and that
// what follows is not taken.
std::string said(const std::string& whole) {
  proxy_header got;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_proxy_header(whole.substr(0, size), got), proxy_state::partial) << size;
  }
  if (parse_proxy_header(whole + "GET / HTTP/1.1\r\n", got) != proxy_state::complete) {
    return "refused";
  }
  EXPECT_EQ(got.size, whole.size());
  return got.has_addresses ? text(got.from) + " " + text(got.to) : "nothing";
}

bool refused(const std::string& bytes) {
  proxy_header got;
  return parse_proxy_header(bytes, got) == proxy_state::refused;
}

TEST(ProxyHeader, Version1) {
  EXPECT_EQ(said("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"),
            "192.0.2.1 56324 198.51.100.7 443");
  EXPECT_EQ(said("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"),
            "2001:db8::1 1 2001:db8::2 65535");
  EXPECT_EQ(said("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 0 80\r\n"),
            "192.0.2.1 0 192.0.2.2 80");
  EXPECT_EQ(said("PROXY UNKNOWN\r\n"), "nothing");
  EXPECT_EQ(said("PROXY UNKNOWN ffff::1 and anything else\r\n"), "nothing");
  const std::string longest =
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
  ASSERT_EQ(longest.size(), 107U);
  EXPECT_EQ(said(longest), "nothing");
}

TEST(ProxyHeader, WhatIsNoVersion1) {
  for (const char* line : {
           "GET / HTTP/1.1\r\n",
           "PROXY\r\n",
           "PROXY \r\n",
           "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
           "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
           "PROXY TCP4 0x7f.0.0.1 192.0.2.2 1 2\r\n",
           "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
           "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n",
           "PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\t\r\n",
           "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY UNKNOWNS\r\n",
       }) {
    EXPECT_TRUE(refused(line)) << line;
  }
  EXPECT_TRUE(refused("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"s));
  EXPECT_TRUE(refused("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"));  // 108
  EXPECT_TRUE(refused("PROXY UNKNOWN " + std::string(93, 'x')));           // no end by then
}

const std::string ip4_block = "\xc0\0\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbb"s;

TEST(ProxyHeader, Version2) {
  EXPECT_EQ(said(binary(0x21, 0x11, ip4_block)), "192.0.2.1 56324 198.51.100.7 443");
  const std::string client = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s;
  const std::string server = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"s;
  EXPECT_EQ(said(binary(0x21, 0x21, client + server + "\x01\x02\x01\xbb"s)),
            "2001:db8::1 258 2001:db8::2 443");
  // Health checks, with and without a block that counts for nothing.
  EXPECT_EQ(said(binary(0x20, 0x00, "")), "nothing");
  EXPECT_EQ(said(binary(0x20, 0x11, ip4_block)), "nothing");
  EXPECT_EQ(said(binary(0x20, 0x7f, "what")), "nothing");
  EXPECT_EQ(said(binary(0x21, 0x00, "")), "nothing");
  EXPECT_EQ(said(binary(0x21, 0x31, std::string(216, 'p'))), "nothing");
  // An extension of each kind of length: none, NOOP, an authority.
  EXPECT_EQ(said(binary(0x21, 0x11, ip4_block + "\x04\0\0"s + "\x02\0\x03"s + "a.b")),
            "192.0.2.1 56324 198.51.100.7 443");
}

TEST(ProxyHeader, WhatIsNoVersion2) {
  EXPECT_TRUE(refused(start.substr(0, 11) + "\r"));
  EXPECT_TRUE(refused("\r\n\r\nGET"));
  EXPECT_TRUE(refused(binary(0x11, 0x11, ip4_block)));  // version 1
  EXPECT_TRUE(refused(binary(0x31, 0x11, ip4_block)));
  EXPECT_TRUE(refused(binary(0x22, 0x11, ip4_block)));  // no such command
  for (const char family : {'\x12', '\x22', '\x32', '\x10', '\x01', '\x13', '\x41'}) {
    EXPECT_TRUE(refused(binary(0x21, family, std::string(216, 'x')))) << int{family};
  }
  EXPECT_TRUE(refused(binary(0x21, 0x11, ip4_block.substr(1))));
  EXPECT_TRUE(refused(binary(0x21, 0x21, ip4_block)));
  EXPECT_TRUE(refused(binary(0x21, 0x31, ip4_block)));
  EXPECT_TRUE(refused(binary(0x21, 0x11, ip4_block + "\x04\0"s)));      // half an extension
  EXPECT_TRUE(refused(binary(0x21, 0x11, ip4_block + "\x04\0\x01"s)));  // longer than there is
  // From its length alone, before it has come.
  EXPECT_TRUE(refused(start + "\x21\x11\x0f\xf1"s));
  proxy_header got;
  EXPECT_EQ(parse_proxy_header(start + "\x21\x11\x0f\xf0"s, got), proxy_state::partial);
}

TEST(ProxyHeader, AChecksumThatIsGivenHasToBeRight) {
  // Of python3: a CRC32c of the header whose own four octets are zero.
  std::string right =
      binary(0x21, 0x11, ip4_block + "\x03\0\x04"s + "\xc8\xbb\x87\xe6"s + "\x04\0\0"s);
  EXPECT_EQ(said(right), "192.0.2.1 56324 198.51.100.7 443");
  const std::size_t type = start.size() + 4 + ip4_block.size();  // another one is no checksum
  for (std::size_t at = start.size() + 4; at < right.size() - 3; ++at) {
    if (at == type) continue;
    std::string wrong = right;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x10);
    EXPECT_TRUE(refused(wrong)) << at;
  }
  EXPECT_TRUE(refused(binary(0x21, 0x11, ip4_block + "\x03\0\x02"s + "\xc8\xbb"s)));
}

TEST(ProxyHeader, WhatIsWrittenIsRead) {
  const auto at = [](const char* ip, std::uint16_t port) {
    endpoint made;
    EXPECT_TRUE(parse_ip(ip, made.ip));
    made.port = port;
    return made;
  };
  const proxy_header none;
  const proxy_header ip4{true, at("192.0.2.1", 56324), at("198.51.100.7", 443)};
  const proxy_header ip6{true, at("2001:db8::1", 1), at("2001:db8::2", 65535)};
  const proxy_header mixed{true, at("192.0.2.1", 0), at("2001:db8::2", 443)};
  for (const proxy_protocol version : {proxy_protocol::v1, proxy_protocol::v2}) {
    const auto written = [version](const proxy_header& what) {
      std::array<char, written_proxy_header_max> room;
      return std::string(room.data(), write_proxy_header(version, what, room));
    };
    EXPECT_EQ(said(written(none)), "nothing");
    EXPECT_EQ(said(written(ip4)), "192.0.2.1 56324 198.51.100.7 443");
    EXPECT_EQ(said(written(ip6)), "2001:db8::1 1 2001:db8::2 65535");
    EXPECT_EQ(said(written(mixed)), "192.0.2.1 0 2001:db8::2 443");
  }
  std::array<char, written_proxy_header_max> room;
  const std::string line(room.data(), write_proxy_header(proxy_protocol::v1, ip4, room));
  EXPECT_EQ(line, "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
}

}  // namespace
}  // namespace rw::net
