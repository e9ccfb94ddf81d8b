#include "limit/key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace rw::limit {
namespace {

constexpr hash_key secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

caller at(std::array<std::uint8_t, 16> address) { return {.client = address}; }

constexpr std::array<std::uint8_t, 16> v6(std::uint8_t seventh, std::uint8_t eighth,
                                          std::uint8_t last) {
  return {0x20, 0x01, 0x0d, 0xb8, 0, 0, seventh, eighth, 0, 0, 0, 0, 0, 0, 0, last};
}

constexpr std::array<std::uint8_t, 16> v4(std::uint8_t third, std::uint8_t last) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, third, last};
}

TEST(Key, CountsIpv6ByPrefixAndIpv4ByAddress) {
  const key_recipe by_client{.client = true, .ipv6_prefix = 64};
  EXPECT_EQ(make_key(by_client, at(v6(0, 1, 1)), secret),
            make_key(by_client, at(v6(0, 1, 2)), secret));
  EXPECT_NE(make_key(by_client, at(v6(0, 1, 1)), secret),
            make_key(by_client, at(v6(0, 2, 1)), secret));
  EXPECT_NE(make_key(by_client, at(v4(2, 1)), secret), make_key(by_client, at(v4(2, 2)), secret));
}

TEST(Key, PrefixesNeedNotEndOnAnOctet) {
  const key_recipe by_client{.client = true, .ipv6_prefix = 60};
  EXPECT_EQ(make_key(by_client, at(v6(0, 0x10, 1)), secret),
            make_key(by_client, at(v6(0, 0x1f, 1)), secret));
  EXPECT_NE(make_key(by_client, at(v6(0, 0x10, 1)), secret),
            make_key(by_client, at(v6(0, 0x20, 1)), secret));
  const key_recipe all{.client = true, .ipv6_prefix = 128};
  EXPECT_NE(make_key(all, at(v6(0, 1, 1)), secret), make_key(all, at(v6(0, 1, 2)), secret));
  const key_recipe none{.client = true, .ipv6_prefix = 0};
  EXPECT_EQ(make_key(none, at(v6(0, 1, 1)), secret), make_key(none, at(v6(9, 9, 2)), secret));
}

TEST(Key, JoinsWhatTheLimitNamesAndNothingElse) {
  const caller one{.client = v4(2, 1), .identity = "alice", .route = 3};
  caller other = one;
  other.identity = "bob";
  const key_recipe by_client{.client = true};
  const key_recipe by_both{.client = true, .identity = true};
  EXPECT_EQ(make_key(by_client, one, secret), make_key(by_client, other, secret));
  EXPECT_NE(make_key(by_both, one, secret), make_key(by_both, other, secret));
  other = one;
  other.route = 4;
  const key_recipe by_route{.route = true};
  EXPECT_NE(make_key(by_route, one, secret), make_key(by_route, other, secret));
  EXPECT_EQ(make_key(by_both, one, secret), make_key(by_both, other, secret));
}

TEST(Key, CountsByCountryAndAllThatAreNotKnownAsOne) {
  const key_recipe by_country{.country = true};
  const caller german{.client = v4(2, 1), .country = country::of("DE")};
  caller other = german;
  other.client = v4(2, 2);
  EXPECT_EQ(make_key(by_country, german, secret), make_key(by_country, other, secret));
  other.country = country::of("FR");
  EXPECT_NE(make_key(by_country, german, secret), make_key(by_country, other, secret));
  EXPECT_NE(make_key(by_country, german, secret), make_key(by_country, caller{}, secret));
  EXPECT_EQ(make_key(by_country, at(v4(1, 1)), secret), make_key(by_country, caller{}, secret));
  const key_recipe by_both{.client = true, .country = true};
  EXPECT_NE(make_key(by_both, at(v4(1, 1)), secret), make_key(by_both, at(v4(1, 2)), secret));
  // A country is no route, and the other way round.
  EXPECT_NE(make_key(by_country, {.country = country::at(3)}, secret),
            make_key({.route = true}, {.route = 3}, secret));
  const caller alice{.identity = "alice", .country = country::of("DE")};
  EXPECT_NE(make_key({.identity = true}, alice, secret),
            make_key({.identity = true, .country = true}, alice, secret));
}

TEST(Key, AnIdentityCountsWithinItsRealm) {
  const key_recipe by_identity{.identity = true};
  const caller ours{.identity = "alice"};
  const caller theirs{.identity = "alice", .realm = "partner"};
  const caller others{.identity = "alice", .realm = "corp"};
  EXPECT_NE(make_key(by_identity, ours, secret), make_key(by_identity, theirs, secret));
  EXPECT_NE(make_key(by_identity, others, secret), make_key(by_identity, theirs, secret));
  EXPECT_EQ(make_key(by_identity, theirs, secret),
            make_key(by_identity, caller{.identity = "alice", .realm = "partner"}, secret));
}

TEST(Key, IdentitiesOfAnyLengthAreTakenWhole) {
  const key_recipe by_identity{.identity = true};
  std::set<std::uint64_t> seen;
  std::string name;
  for (int length = 0; length < 2000; ++length) {
    EXPECT_TRUE(seen.insert(make_key(by_identity, {.identity = name}, secret).hash).second);
    name.push_back('a');
  }
}

TEST(Key, DependsOnTheSecret) {
  hash_key another = secret;
  another[15] ^= 1;
  const key_recipe by_client{.client = true};
  EXPECT_NE(make_key(by_client, at(v4(2, 1)), secret), make_key(by_client, at(v4(2, 1)), another));
}

TEST(Key, RecipesComeFromTheConfiguration) {
  config::limit limit;
  limit.by = {config::limit_key::client_ip, config::limit_key::route};
  limit.ipv6_prefix = 48;
  EXPECT_EQ(make_recipe(limit), (key_recipe{.client = true, .route = true, .ipv6_prefix = 48}));
  limit.by = {config::limit_key::country};
  EXPECT_EQ(make_recipe(limit), (key_recipe{.country = true, .ipv6_prefix = 48}));
}

}  // namespace
}  // namespace rw::limit
