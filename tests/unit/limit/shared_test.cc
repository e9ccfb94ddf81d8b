// What gateways say to each other of a limit: keys, arguments, answers; and what they make of
// these.
#include "limit/shared.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "limit/limiter.h"

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

mono_time at(nanoseconds since_start) { return mono_time{since_start}; }

std::string key_of(const key_recipe& recipe, const caller& who, std::string_view route = "api",
                   std::string_view password = "secret", std::string_view limit = "one") {
  std::string out = "what was there";
  write_shared_key(limit, recipe, who, route, make_shared_secret(password), out);
  return out;
}

TEST(SharedKey, IsTheSameWhereverItIsMadeAndNamesNobody) {
  const key_recipe recipe{.identity = true};
  const std::string made = key_of(recipe, {.identity = "alice", .realm = "main"});
  EXPECT_EQ(made, key_of(recipe, {.identity = "alice", .realm = "main", .route = 7}));
  EXPECT_THAT(made, testing::MatchesRegex("rw:one:[0-9a-f]+"));
  EXPECT_EQ(made.size(), 7U + 32U);
}

TEST(SharedKey, IsAnotherForWhateverCounts) {
  const std::string_view value = "v";
  const std::string_view two[] = {"a", "bc"};
  const std::string_view split[] = {"ab", "c"};
  const key_recipe identity{.identity = true};
  std::set<std::string> all;
  std::size_t made = 0;
  const auto add = [&](std::string key) {
    all.insert(std::move(key));
    ++made;
  };
  add(key_of(identity, {.identity = "alice"}));
  add(key_of(identity, {.identity = "bob"}));
  add(key_of(identity, {.identity = "alice", .realm = "main"}));
  add(key_of(identity, {.identity = "in", .realm = "ma"}));
  add(key_of(identity, {.identity = "n", .realm = "mai"}));
  add(key_of(identity, {.identity = "alice"}, "api", "other"));
  add(key_of(identity, {.identity = "alice"}, "api", "secret", "two"));
  add(key_of({.identity = true, .route = true}, {.identity = "alice"}, "api"));
  add(key_of({.identity = true, .route = true}, {.identity = "alice"}, "web"));
  add(key_of({.identity = true, .headers = true},
             {.identity = "alice", .headers = std::span(&value, 1)}));
  add(key_of({.headers = true}, {.headers = two}));
  add(key_of({.headers = true}, {.headers = split}));
  add(key_of({.country = true}, {.country = country::of("DE")}));
  add(key_of({.country = true}, {.country = country::of("FR")}));
  add(key_of({.country = true}, {}));
  add(key_of({.headers = true}, {.headers = std::span(&value, 1)}));
  EXPECT_EQ(all.size(), made);
}

TEST(SharedKey, OfATokenThatCountsOnceIsThatOfItsIssuerAndJti) {
  const auto key_of_token = [](std::string_view issuer, std::string_view jti,
                               std::string_view password = "secret") {
    std::string out = "what was there";
    write_once_key(issuer, jti, make_shared_secret(password), out);
    return out;
  };
  const std::string made = key_of_token("https://a", "7");
  EXPECT_THAT(made, testing::MatchesRegex("rw:jti:[0-9a-f]+"));
  EXPECT_EQ(made.size(), 7U + 32U);
  EXPECT_EQ(made, key_of_token("https://a", "7"));
  EXPECT_NE(made, key_of_token("https://a7", ""));
  EXPECT_NE(made, key_of_token("https://a", "8"));
  EXPECT_NE(made, key_of_token("https://a", "7", "other"));
}

TEST(SharedKey, CountsAddressesAsTheTableDoes) {
  caller one{.client = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 3}};
  caller same{.client = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 9}};
  caller other{.client = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 3, 3}};
  const key_recipe by_64{.client = true, .ipv6_prefix = 64};
  EXPECT_EQ(key_of(by_64, one), key_of(by_64, same));
  EXPECT_NE(key_of(by_64, one), key_of(by_64, other));
  EXPECT_NE(key_of({.client = true, .ipv6_prefix = 128}, one),
            key_of({.client = true, .ipv6_prefix = 128}, same));
}

TEST(SharedArguments, AreMicrosecondsToTheNanosecond) {
  const pace three = make_pace({.count = 3, .per = 1s}, 20);
  const shared_arguments made = write_arguments({.pace = three, .want = 4, .least = 1});
  EXPECT_EQ(made.at(0), "333333.334");
  EXPECT_EQ(made.at(1), "6666666.680");
  EXPECT_EQ(made.at(2), "4");
  EXPECT_EQ(made.at(3), "1");
  EXPECT_EQ(made.at(4), "0");
  const shared_arguments back = write_arguments({.want = -1, .least = -1, .shadow = true});
  EXPECT_EQ(back.at(2), "-1");
  EXPECT_EQ(back.at(4), "1");
  const pace longest{.interval_ns = longest_ns, .window_ns = longest_ns};
  EXPECT_EQ(write_arguments({.pace = longest}).at(1), "2305843009213693.952");
}

TEST(SharedAnswer, IsReadWithinWhatCanBe) {
  const shared_demand asked{.pace = make_pace({.count = 10, .per = 1s}, 20), .want = 5};
  shared_answer got;
  EXPECT_TRUE(read_answer(asked, 5, 2'000'000, got));
  EXPECT_EQ(got.granted, 5);
  EXPECT_EQ(got.debt, 2s);
  EXPECT_TRUE(read_answer(asked, 0, 0, got));
  for (const auto& [granted, debt] : {std::pair{6, 0}, {-1, 0}, {1, -1}, {1, 2'000'002}}) {
    EXPECT_FALSE(read_answer(asked, granted, debt, got)) << granted << ' ' << debt;
  }
}

config::limit shared_limit(config::limit_sharing how) {
  return {.name = "one",
          .by = {config::limit_key::identity},
          .rate = {.count = 10, .per = 1s},
          .burst = 20,
          .shared = how,
          .capacity = 4096};
}

TEST(Learned, NobodyIsAskedBeforeThereCouldBeMore) {
  const std::vector list{shared_limit(config::limit_sharing::exact)};
  const limiter limits(list, 1);
  const demand alice = limits.make_demand(0, {.identity = "alice"});
  ASSERT_TRUE(limits.admit(alice, at(10s)).admitted);
  limits.give_back(alice, at(10s), at(10s));
  const decision refused = limits.learn(alice, false, 1950ms, at(10s));
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.met, bound::rate);
  EXPECT_EQ(refused.remaining, 0U);
  EXPECT_EQ(refused.retry_after, 50ms);
  EXPECT_FALSE(limits.admit(alice, at(10s + 49ms)).admitted);
  EXPECT_TRUE(limits.admit(alice, at(10s + 50ms)).admitted);
}

TEST(Learned, WhatOthersTookIsMissingHere) {
  const std::vector list{shared_limit(config::limit_sharing::exact)};
  const limiter limits(list, 1);
  const demand alice = limits.make_demand(0, {.identity = "alice"});
  ASSERT_TRUE(limits.admit(alice, at(10s)).admitted);
  const decision learned = limits.learn(alice, true, 1500ms, at(10s));
  EXPECT_TRUE(learned.admitted);
  EXPECT_EQ(learned.remaining, 5U);
  int more = 0;
  while (limits.admit(alice, at(10s)).admitted) ++more;
  EXPECT_EQ(more, 5);
  // Less debt than is known of here changes nothing.
  limits.learn(alice, true, 100ms, at(10s));
  EXPECT_FALSE(limits.admit(alice, at(10s)).admitted);
}

TEST(Learned, ALeaseIsSpentWhateverOthersHaveBorrowed) {
  const std::vector list{shared_limit(config::limit_sharing::leased)};
  const limiter limits(list, 1);
  const demand alice = limits.make_demand(0, {.identity = "alice"});
  EXPECT_EQ(limits.spend(alice, at(10s)).ask_for, 1U);
  limits.deposit(alice, 2, deposit_of::all, at(10s));
  EXPECT_TRUE(limits.learn(alice, true, 2s, at(10s)).admitted);
  EXPECT_TRUE(limits.admit(alice, at(10s)).admitted);
  EXPECT_TRUE(limits.spend(alice, at(10s)).spent);
  EXPECT_EQ(limiter::slice_of(make_pace({.count = 10, .per = 1s}, 20)), 2U);
  EXPECT_EQ(limiter::slice_of(make_pace({.count = 10, .per = 1s}, 1)), 1U);
}

TEST(Learned, OfAnEmptyBudgetThatIsLeasedNobodyAsksForAWhile) {
  const std::vector list{shared_limit(config::limit_sharing::leased)};
  const limiter limits(list, 1);
  const demand alice = limits.make_demand(0, {.identity = "alice"});
  limits.learn(alice, false, 1950ms, at(10s));
  EXPECT_FALSE(limits.admit(alice, at(10s + 249ms)).admitted);
  EXPECT_TRUE(limits.admit(alice, at(10s + 250ms)).admitted);
  EXPECT_EQ(hold_off_ns(make_pace({.count = 100, .per = 1s}, 20)), 50'000'000U);
}

TEST(Learned, LeasesLiveOnOverAReload) {
  const std::vector list{shared_limit(config::limit_sharing::leased)};
  const limiter before(list, 1);
  const demand alice = before.make_demand(0, {.identity = "alice"});
  before.spend(alice, at(10s));
  before.deposit(alice, 1, deposit_of::all, at(10s));
  const limiter after(list, 1, &before);
  EXPECT_TRUE(after.spend(alice, at(10s)).spent);
}

}  // namespace
}  // namespace rw::limit
