// The vectors are made by tests/system/mmdb.py, which says what is in them.
#include "geo/country_table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

namespace rw::geo {
namespace {

std::string vector(const std::string& name) {
  const char* root = std::getenv("RW_VECTORS");
  std::ifstream in(std::string(root == nullptr ? "tests/vectors" : root) + "/geo/" + name,
                   std::ios::binary);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

country_table::address address(const std::string& text) {
  country_table::address made{};
  if (::inet_pton(AF_INET6, text.c_str(), made.data()) == 1) return made;
  made[10] = made[11] = 0xff;
  EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), made.data() + 12), 1) << text;
  return made;
}

std::string found(const country_table& in, const std::string& text) {
  return std::string(in.find(address(text)).text());
}

std::string refusal(std::string_view file) {
  const auto made = country_table::load(file);
  return made ? "" : made.error().text;
}

TEST(Country, IsTwoCapitals) {
  EXPECT_EQ(country::of("DE").text(), "DE");
  for (const char* no : {"", "D", "DEU", "de", "D1", "\xc3\x84"}) {
    EXPECT_FALSE(country::of(no).is_known()) << no;
  }
  EXPECT_EQ(country{}.text(), "");
  EXPECT_EQ(country::of("AA").index(), 1U);
  EXPECT_EQ(country::of("ZZ").index() + 1, country::count);
  for (std::size_t i = 0; i < country::count; ++i) EXPECT_EQ(country::at(i).index(), i);
  EXPECT_FALSE(country::at(country::count).is_known());
}

class CountryTable : public ::testing::TestWithParam<const char*> {};

TEST_P(CountryTable, SaysWhereAnAddressIs) {
  const auto made = country_table::load(vector(GetParam()));
  ASSERT_TRUE(made) << made.error().text;
  const country_table& table = **made;
  const std::pair<const char*, const char*> rows[] = {
      {"198.51.99.255", ""},    {"198.51.100.0", "DE"},   {"198.51.100.6", "DE"},
      {"198.51.100.7", "CH"},   {"198.51.100.8", "DE"},   {"198.51.100.127", "DE"},
      {"198.51.100.128", "FR"}, {"198.51.100.255", "FR"}, {"198.51.101.0", ""},
      {"203.0.113.77", "US"},   {"192.0.2.1", ""},        {"0.0.0.0", "AA"},
      {"0.255.255.255", "AA"},  {"1.0.0.0", ""},          {"255.255.255.254", ""},
      {"255.255.255.255", "ZZ"}};
  for (const auto& [ip, where] : rows) {
    EXPECT_EQ(found(table, ip), where) << ip;
    EXPECT_EQ(found(table, std::string("::ffff:") + ip), where) << ip;
  }
  EXPECT_EQ(table.built(), wall_time{std::chrono::seconds{1'700'000'000}});
  EXPECT_NE(table.id(), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, CountryTable,
                         ::testing::Values("countries.mmdb", "wide-records.mmdb",
                                           "odd-records.mmdb", "ipv4.mmdb"));

TEST(CountryTableOfIpv6, SaysWhereAnAddressIs) {
  const auto made = country_table::load(vector("countries.mmdb"));
  ASSERT_TRUE(made);
  const std::pair<const char*, const char*> rows[] = {
      {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", ""},
      {"2001:db8::", "DE"},
      {"2001:db8:0:ffff:ffff:ffff:ffff:ffff", "DE"},
      {"2001:db8:1::", "JP"},
      {"2001:db8:1::41", "JP"},
      {"2001:db8:1::42", "XK"},
      {"2001:db8:1::43", "JP"},
      {"2001:db8:2::", "DE"},
      {"2001:db9::", ""},
      {"fffe:ffff::", ""},
      {"ffff::", "AQ"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "AQ"},
      {"::", ""},
      // Addresses that only stand for IPv4 ones: anybody may write them.
      {"::198.51.100.1", ""},
      {"2002:c633:6401::", ""},
  };
  for (const auto& [ip, where] : rows) EXPECT_EQ(found(**made, ip), where) << ip;
}

TEST(CountryTableOfIpv4, KnowsNothingOfIpv6) {
  const auto made = country_table::load(vector("ipv4.mmdb"));
  ASSERT_TRUE(made);
  EXPECT_EQ(found(**made, "2001:db8::1"), "");
  EXPECT_EQ(found(**made, "ffff::"), "");
}

TEST(CountryTableFile, IsKnownAgain) {
  const std::string file = vector("countries.mmdb");
  const auto made = country_table::load(file);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->id(), country_table::id_of(file));
  EXPECT_NE((*made)->id(), country_table::id_of(vector("wide-records.mmdb")));
}

TEST(CountryTableFile, ThatIsNoneIsRefused) {
  EXPECT_EQ(refusal(""), "is not a MaxMind DB, or not all of one");
  EXPECT_EQ(refusal("DE"), "is not a MaxMind DB, or not all of one");
  EXPECT_EQ(refusal(std::string(100'000, 'x')), "is not a MaxMind DB, or not all of one");
  EXPECT_EQ(refusal(vector("no-countries.mmdb")),
            "has no country in it: is it a database of countries or cities?");
}

// Whatever became of it on its way: it is refused, or it says something; it never ends the gate.
void expect_harmless(std::string_view file) {
  const auto made = country_table::load(file);
  if (!made) {
    EXPECT_STRNE(made.error().text, "");
    return;
  }
  for (const char* ip : {"0.0.0.0", "198.51.100.7", "255.255.255.255", "2001:db8:1::42", "::"}) {
    const country where = (*made)->find(address(ip));
    EXPECT_LT(where.index(), country::count);
  }
}

TEST(CountryTableFile, ThatEndsEarlyIsHarmless) {
  for (const char* name : {"countries.mmdb", "odd-records.mmdb"}) {
    const std::string file = vector(name);
    for (std::size_t size = 0; size < file.size(); ++size) {
      expect_harmless(std::string_view(file).substr(0, size));
    }
  }
}

TEST(CountryTableFile, WithAnOctetThatIsAnotherIsHarmless) {
  for (const char* name : {"countries.mmdb", "ipv4.mmdb", "odd-records.mmdb"}) {
    std::string file = vector(name);
    for (char& octet : file) {
      const char right = octet;
      for (const int flip : {0x01, 0x80, 0xff}) {
        octet = static_cast<char>(right ^ flip);
        expect_harmless(file);
      }
      octet = right;
    }
  }
}

// Half of one and half of another, as a copy that is under way leaves them.
TEST(CountryTableFile, OfTwoHalvesIsHarmless) {
  const std::string one = vector("countries.mmdb");
  const std::string other = vector("wide-records.mmdb");
  for (std::size_t at = 0; at < one.size(); at += 7) {
    expect_harmless(one.substr(0, at) + other.substr(at));
    expect_harmless(other.substr(0, at) + one.substr(at));
  }
}

TEST(CountryTableFile, WhoseTreeTurnsInCirclesIsRefused) {
  std::string file = vector("countries.mmdb");
  std::memcpy(file.data() + 6, "\0\0\1", 3);  // the left record of node 1: node 1
  EXPECT_EQ(refusal(file), "its search tree is broken");
}

}  // namespace
}  // namespace rw::geo
