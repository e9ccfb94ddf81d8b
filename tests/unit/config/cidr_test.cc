#include "config/cidr.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>

namespace rw::config {
namespace {

ip16 ip(const std::string& text) {
  ip16 out{};
  const std::string mapped = text.contains(':') ? text : "::ffff:" + text;
  EXPECT_EQ(inet_pton(AF_INET6, mapped.c_str(), out.data()), 1) << text;
  return out;
}

cidr_set set(std::vector<std::string> networks) {
  auto parsed = cidr_set::parse(networks);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().text);
  return parsed.value_or(cidr_set{});
}

TEST(Cidr, NetworksContainTheirEndsAndNothingBeyond) {
  const cidr_set some = set({"10.0.0.0/8", "192.0.2.4/30", "2001:db8::/32", "203.0.113.7"});
  for (const char* in :
       {"10.0.0.0", "10.255.255.255", "192.0.2.4", "192.0.2.7", "203.0.113.7",
        "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(some.contains(ip(in))) << in;
  }
  for (const char* out : {"9.255.255.255", "11.0.0.0", "192.0.2.3", "192.0.2.8", "203.0.113.6",
                          "203.0.113.8", "2001:db7:ffff::", "2001:db9::", "::10.1.2.3"}) {
    EXPECT_FALSE(some.contains(ip(out))) << out;
  }
}

TEST(Cidr, EverythingOfOneFamilyIsNothingOfTheOther) {
  EXPECT_TRUE(set({"0.0.0.0/0"}).contains(ip("255.255.255.255")));
  EXPECT_FALSE(set({"0.0.0.0/0"}).contains(ip("2001:db8::1")));
  EXPECT_TRUE(set({"::/0"}).contains(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(set({"::/0"}).contains(ip("10.0.0.1")));
  EXPECT_TRUE(set({"::ffff:10.0.0.0/104"}).contains(ip("10.0.0.1")));
  EXPECT_FALSE(set({"::ffff:10.0.0.0/104"}).contains(ip("11.0.0.1")));
}

TEST(Cidr, AnEmptySetContainsNothing) {
  EXPECT_TRUE(set({}).empty());
  EXPECT_FALSE(cidr_set{}.contains(ip("10.0.0.1")));
}

TEST(Cidr, RefusesWhatIsNone) {
  for (const char* bad :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "10/8", "::/129",
        "2001:db8::1/32", "::ffff:10.0.0.0/95", "example", "10.0.0.0/8/8", "10.0.0.0/8 "}) {
    const std::vector<std::string> one{bad};
    EXPECT_FALSE(cidr_set::parse(one)) << bad;
  }
}

// Overlapping, touching and nested networks against asking each by itself.
TEST(Cidr, AgreesWithAskingEachNetwork) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> networks;
    std::vector<cidr_set> alone;
    for (unsigned i = random() % 12; i > 0; --i) {
      const unsigned bits = 20 + random() % 13;
      const std::uint32_t first = (random() & 0xffffU) & ~((1ULL << (32U - bits)) - 1U);
      networks.push_back("10.0." + std::to_string(first >> 8U) + "." +
                         std::to_string(first & 0xffU) + "/" + std::to_string(bits));
      alone.push_back(set({networks.back()}));
    }
    const cidr_set all = set(networks);
    for (int i = 0; i < 500; ++i) {
      ip16 at = ip("10.0.0.0");
      at[14] = static_cast<std::uint8_t>(random());
      at[15] = static_cast<std::uint8_t>(random());
      bool expected = false;
      for (const cidr_set& one : alone) expected = expected || one.contains(at);
      ASSERT_EQ(all.contains(at), expected);
    }
  }
}

}  // namespace
}  // namespace rw::config
