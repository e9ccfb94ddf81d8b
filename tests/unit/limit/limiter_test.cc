#include "limit/limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>

#include "base/random.h"

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

mono_time at(nanoseconds since_start) { return mono_time{since_start}; }

config::limit limit_of(std::string name, std::uint64_t count, nanoseconds per,
                       std::uint64_t burst) {
  return {.name = std::move(name),
          .by = {config::limit_key::identity},
          .rate = {.count = count, .per = per},
          .burst = burst,
          .capacity = 4096};
}

limiter one_limit(const config::limit& limit, unsigned shards = 2) {
  return limiter(std::span(&limit, 1), shards);
}

key named(const limiter& of, std::string_view identity, std::uint32_t index = 0) {
  return of.make_key(index, {.identity = identity});
}

// All of a limit's sets, a few at a time.
std::vector<limiter::holder> holders(const limiter& of, mono_time now) {
  std::vector<limiter::holder> found;
  for (std::size_t first = 0; first < of.sets(0); first += 7) of.look(0, first, 7, now, found);
  return found;
}

TEST(Limiter, ShowsWhoHasNotTheWholeBudget) {
  const limiter limits = one_limit(limit_of("a", 10, 1s, 3));
  EXPECT_TRUE(holders(limits, at(5s)).empty());
  const key alice = named(limits, "alice");
  const key bob = named(limits, "bob");
  limits.admit(0, alice, at(5s));
  limits.admit(0, alice, at(5s));
  limits.admit(0, bob, at(5s));
  std::map<std::uint64_t, std::uint64_t> found;
  for (const limiter::holder& one : holders(limits, at(5s))) found[one.who.hash] = one.amount;
  EXPECT_EQ(found, (std::map<std::uint64_t, std::uint64_t>{{alice.hash, 200'000'000},
                                                           {bob.hash, 100'000'000}}));
  EXPECT_EQ(holders(limits, at(5s + 100ms)).size(), 1U);
  EXPECT_EQ(limits.seen({.index = 0, .who = alice}, at(5s)).remaining, 1U);
  EXPECT_EQ(limits.seen({.index = 0, .who = alice}, at(5s)).remaining, 1U);  // took nothing
}

TEST(Limiter, ARefilledKeyHasItsWholeBudgetAndOthersKeepTheirDebt) {
  const limiter limits = one_limit(limit_of("a", 1, 1h, 2));
  const key alice = named(limits, "alice");
  const key bob = named(limits, "bob");
  for (const key who : {alice, alice, bob, bob}) EXPECT_TRUE(limits.admit(0, who, at(5s)).admitted);
  limits.refill(0, alice);
  EXPECT_EQ(limits.seen({.index = 0, .who = alice}, at(5s)).remaining, 2U);
  EXPECT_TRUE(limits.admit(0, alice, at(5s)).admitted);
  EXPECT_TRUE(limits.admit(0, alice, at(5s)).admitted);
  EXPECT_FALSE(limits.admit(0, alice, at(5s)).admitted);
  EXPECT_FALSE(limits.admit(0, bob, at(5s)).admitted);
  limits.refill(0, named(limits, "nobody"));  // who has no entry has a whole budget
  EXPECT_EQ(holders(limits, at(5s)).size(), 2U);
}

TEST(Limiter, OfALimitWithoutARateItShowsWhatIsUnderWay) {
  config::limit rules = limit_of("a", 0, 0s, 1);
  rules.concurrent = 3;
  const limiter limits = one_limit(rules);
  const key alice = named(limits, "alice");
  limits.admit(0, alice, at(5s));
  limits.admit(0, alice, at(5s));
  ASSERT_EQ(holders(limits, at(9s)).size(), 1U);
  EXPECT_EQ(holders(limits, at(9s)).front().amount, 2U);
  EXPECT_EQ(limits.under_way(0, alice), 2U);
  limits.leave({.index = 0, .who = alice});
  limits.leave({.index = 0, .who = alice});
  EXPECT_TRUE(holders(limits, at(9s)).empty());
}

TEST(Limiter, AdmitsTheBurstThenTheRate) {
  const limiter limits = one_limit(limit_of("a", 10, 1s, 3));
  const key who = named(limits, "alice");
  for (std::uint64_t left : {2U, 1U, 0U}) {
    const decision made = limits.admit(0, who, at(5s));
    EXPECT_TRUE(made.admitted);
    EXPECT_EQ(made.limit, 3U);
    EXPECT_EQ(made.remaining, left);
    EXPECT_EQ(made.reset, 100ms);
    EXPECT_EQ(made.retry_after, 0ns);
  }
  const decision refused = limits.admit(0, who, at(5s + 30ms));
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.remaining, 0U);
  EXPECT_EQ(refused.retry_after, 70ms);
  EXPECT_EQ(refused.reset, 70ms);
  EXPECT_FALSE(limits.admit(0, who, at(5s + 100ms - 1ns)).admitted);
  EXPECT_TRUE(limits.admit(0, who, at(5s + 100ms)).admitted);
  EXPECT_FALSE(limits.admit(0, who, at(5s + 100ms)).admitted);
  EXPECT_TRUE(limits.admit(0, named(limits, "bob"), at(5s + 100ms)).admitted);
}

TEST(Limiter, RetryAfterIsWhenItSaysSo) {
  const limiter limits = one_limit(limit_of("a", 7, 3s, 4));
  const key who = named(limits, "alice");
  std::mt19937_64 random(1);
  nanoseconds now = 1s;
  for (int i = 0; i < 10000; ++i) {
    const decision made = limits.admit(0, who, at(now));
    if (!made.admitted) {
      EXPECT_FALSE(limits.admit(0, who, at(now + made.retry_after - 1ns)).admitted);
      now += made.retry_after;
      EXPECT_TRUE(limits.admit(0, who, at(now)).admitted);
    }
    now += nanoseconds(random() % 500'000'000);
  }
}

TEST(Limiter, ACallersOwnRateFillsItsBudgetInTheSameTime) {
  const limiter limits = one_limit(limit_of("a", 10, 1s, 3));
  const auto demand_of = [&](std::string_view who, config::rate own) {
    return limits.make_demand(0, {.identity = who, .own = own});
  };
  const demand fast = demand_of("alice", {.count = 100, .per = 1s});
  EXPECT_EQ(limits.pace_of(fast).burst, 30U);
  EXPECT_EQ(limits.pace_of(fast).window_ns, 300'000'000U);
  for (std::uint64_t left = 30; left-- > 0;) {
    const decision made = limits.admit(fast, at(5s));
    EXPECT_TRUE(made.admitted);
    EXPECT_EQ(made.limit, 30U);
    EXPECT_EQ(made.remaining, left);
  }
  EXPECT_EQ(limits.admit(fast, at(5s)).retry_after, 10ms);
  limits.give_back(fast, at(5s), at(5s));
  EXPECT_TRUE(limits.admit(fast, at(5s)).admitted);

  // Slower than one in the whole time: one request, and then its own interval.
  const demand slow = demand_of("bob", {.count = 1, .per = std::chrono::hours{1}});
  EXPECT_TRUE(limits.admit(slow, at(5s)).admitted);
  EXPECT_EQ(limits.admit(slow, at(5s)).retry_after, std::chrono::hours{1});

  EXPECT_EQ(demand_of("carol", {}).own.burst, 0U);
  config::limit by_client = limit_of("ip", 10, 1s, 3);
  by_client.by = {config::limit_key::client_ip};
  const limiter other = one_limit(by_client);
  EXPECT_EQ(other.make_demand(0, {.own = {.count = 100, .per = 1s}}).own.burst, 0U);
}

// All or none, with the own pace where there is one.
TEST(Limiter, AnOwnRateIsHeldAlongsideOtherLimits) {
  const std::array both{limit_of("a", 1, 1h, 2), limit_of("b", 1, 1h, 3)};
  const limiter limits(both, 2);
  const caller who{.identity = "alice", .own = {.count = 2, .per = 1h}};
  const std::array demands{limits.make_demand(0, who), limits.make_demand(1, who)};
  std::array<decision, 2> made;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(limits.admit_all(demands, at(1s), made), std::nullopt);
  EXPECT_EQ(limits.admit_all(demands, at(1s), made), 0U);
  EXPECT_EQ(limits.admit(demands[1], at(1s)).remaining, 1U);
}

// A plain token bucket: arithmetic in 128 bits, one key after the other, no table.
class reference {
 public:
  reference(std::uint64_t interval, std::uint64_t burst) : interval_(interval), burst_(burst) {}
  bool admit(const std::string& who, std::uint64_t now) {
    auto [found, fresh] = keys_.try_emplace(who, bucket{burst_ * interval_, now});
    bucket& b = found->second;
    if (now > b.seen) {
      b.level = std::min<unsigned __int128>(b.level + (now - b.seen), burst_ * interval_);
      b.seen = now;
    }
    if (b.level < interval_) return false;
    b.level -= interval_;
    return true;
  }
  std::uint64_t left(const std::string& who) {
    return static_cast<std::uint64_t>(keys_.at(who).level / interval_);
  }

 private:
  struct bucket {
    unsigned __int128 level;
    std::uint64_t seen;
  };
  unsigned __int128 interval_;
  unsigned __int128 burst_;
  std::map<std::string, bucket> keys_;
};

TEST(Limiter, AgreesWithATokenBucketOnRandomSchedules) {
  std::mt19937_64 random(20240611);
  int decisions = 0;
  while (decisions < 100'000) {
    const std::uint64_t count = 1 + random() % 1000;
    const nanoseconds per =
        std::array{1ns * 1'000'000, 1ns * 1'000'000'000, 1ns * 60'000'000'000}[random() % 3];
    const std::uint64_t burst = 1 + random() % 50;
    const config::limit limit = limit_of("a", count, per, burst);
    const limiter limits = one_limit(limit, 1 + static_cast<unsigned>(random() % 5));
    const pace pace = limits.pace_of(0);
    reference model(pace.interval_ns, pace.burst);
    std::uint64_t now = random() % (std::uint64_t{1} << 60U);
    for (int i = 0; i < 1000; ++i, ++decisions) {
      const std::string who = "key" + std::to_string(random() % 5);
      const decision made =
          limits.admit(0, named(limits, who), at(nanoseconds(static_cast<std::int64_t>(now))));
      ASSERT_EQ(made.admitted, model.admit(who, now))
          << count << '/' << per.count() << ' ' << burst;
      ASSERT_EQ(made.remaining, model.left(who));
      if (random() % 4 != 0) now += random() % (1 + pace.interval_ns * (1 + random() % 3));
    }
    EXPECT_EQ(limits.forgiven(0), 0U);
  }
}

// The bound itself, over every window of a random schedule whose clocks run back and forth.
TEST(Limiter, NeverPassesTheBoundUnderDisagreeingClocks) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t burst = 1 + random() % 10;
    const limiter limits = one_limit(limit_of("a", 1 + random() % 100, 1s, burst));
    const auto interval = static_cast<std::int64_t>(limits.pace_of(0).interval_ns);
    const key who = named(limits, "alice");
    std::vector<std::int64_t> admitted;
    std::int64_t now = 1'000'000'000;
    for (int i = 0; i < 1000; ++i) {
      now += static_cast<std::int64_t>(random() % 40'000'000);
      const std::int64_t said = now - static_cast<std::int64_t>(random() % 30'000'000);
      if (limits.admit(0, who, at(nanoseconds(said))).admitted) admitted.push_back(said);
    }
    for (std::size_t i = 0; i < admitted.size(); ++i) {
      for (std::size_t j = i; j < admitted.size(); ++j) {
        const auto taken = static_cast<std::int64_t>(j - i + 1);
        ASSERT_LE(taken * interval,
                  static_cast<std::int64_t>(burst) * interval + admitted[j] - admitted[i]);
      }
    }
  }
}

TEST(Limiter, AnOlderClockIsHarmless) {
  const limiter limits = one_limit(limit_of("a", 10, 1s, 2));
  const key who = named(limits, "alice");
  EXPECT_TRUE(limits.admit(0, who, at(10s)).admitted);
  EXPECT_TRUE(limits.admit(0, who, at(10s)).admitted);
  const decision behind = limits.admit(0, who, at(9s));
  EXPECT_FALSE(behind.admitted);
  EXPECT_EQ(behind.retry_after, 1100ms);  // by that clock
  EXPECT_TRUE(limits.admit(0, who, at(10s + 100ms)).admitted);
  EXPECT_TRUE(limits.admit(0, named(limits, "zero"), mono_time{-5s}).admitted);
}

TEST(Limiter, ARefusalGivesBackWhatTheOthersTook) {
  const std::array limits_of = {limit_of("wide", 1, 1h, 5), limit_of("narrow", 1, 1h, 2),
                                limit_of("widest", 1, 1h, 9)};
  const limiter limits(limits_of, 1);
  const std::array demands = {demand{0, named(limits, "alice", 0)},
                              demand{1, named(limits, "alice", 1)},
                              demand{2, named(limits, "alice", 2)}};
  std::array<decision, 3> made;
  EXPECT_EQ(limits.admit_all(demands, at(1s), made), std::nullopt);
  EXPECT_EQ(made[0].remaining, 4U);
  EXPECT_EQ(limits.admit_all(demands, at(1s), made), std::nullopt);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(limits.admit_all(demands, at(1s), made), 1U);
    EXPECT_FALSE(made[1].admitted);
    EXPECT_GT(made[1].retry_after, 59min);
  }
  EXPECT_EQ(limits.admit(0, demands[0].who, at(1s)).remaining, 2U);
  EXPECT_EQ(limits.admit(2, demands[2].who, at(1s)).remaining, 6U);
  EXPECT_EQ(limits.admit_all({}, at(1s), made), std::nullopt);
}

// One key asked for twice in one request: the second is refused only when it is taken, so what the
// first took has to be returned.
TEST(Limiter, WhatChangedBetweenAskingAndTakingIsGivenBack) {
  const std::array limits_of = {limit_of("a", 1, 1h, 3)};
  const limiter limits(limits_of, 1);
  const key who = named(limits, "alice");
  std::array<decision, 2> made;
  const std::array twice = {demand{0, who}, demand{0, who}};
  EXPECT_EQ(limits.admit_all(twice, at(1s), made), std::nullopt);
  EXPECT_EQ(limits.admit_all(twice, at(1s), made), 1U);
  EXPECT_TRUE(limits.admit(0, who, at(1s)).admitted);
  EXPECT_FALSE(limits.admit(0, who, at(1s)).admitted);
}

TEST(Limiter, GivingBackReturnsNoMoreThanTimeHasNot) {
  const limiter limits = one_limit(limit_of("a", 10, 1s, 2));
  const key who = named(limits, "alice");
  limits.admit(0, who, at(1s));
  limits.admit(0, who, at(1s));
  limits.give_back({.who = who}, at(1s), at(1s + 40ms));  // 60 of the 100 ms
  EXPECT_FALSE(limits.admit(0, who, at(1s + 39ms)).admitted);
  EXPECT_TRUE(limits.admit(0, who, at(1s + 40ms)).admitted);
  limits.give_back({.who = who}, at(1s), at(1s + 100ms));  // long over
  EXPECT_FALSE(limits.admit(0, who, at(1s + 40ms)).admitted);
  limits.give_back({.who = named(limits, "nobody")}, at(1s), at(1s));
}

// Requests that are given back never buy more than the bound for those that are kept.
TEST(Limiter, GivingBackNeverPassesTheBound) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 100; ++round) {
    const std::uint64_t burst = 1 + random() % 5;
    const limiter limits = one_limit(limit_of("a", 10, 1s, burst));
    const auto interval = static_cast<std::int64_t>(limits.pace_of(0).interval_ns);
    const key who = named(limits, "alice");
    std::vector<std::int64_t> kept;
    std::vector<std::int64_t> undecided;
    std::int64_t now = 1'000'000'000;
    for (int i = 0; i < 400; ++i) {
      now += static_cast<std::int64_t>(random() % 60'000'000);
      if (!undecided.empty() && random() % 2 == 0) {
        limits.give_back({.who = who}, at(nanoseconds(undecided.back())), at(nanoseconds(now)));
        undecided.pop_back();
      }
      if (!limits.admit(0, who, at(nanoseconds(now))).admitted) continue;
      (random() % 2 == 0 ? undecided : kept).push_back(now);
    }
    for (std::size_t i = 0; i < kept.size(); ++i) {
      for (std::size_t j = i; j < kept.size(); ++j) {
        ASSERT_LE(static_cast<std::int64_t>(j - i + 1) * interval,
                  static_cast<std::int64_t>(burst) * interval + kept[j] - kept[i]);
      }
    }
  }
}

TEST(Limiter, BudgetsSurviveAReload) {
  const std::array before = {limit_of("a", 1, 1h, 2), limit_of("b", 1, 1h, 2)};
  auto old = std::make_unique<limiter>(before, 2);
  const key who = named(*old, "alice");
  EXPECT_TRUE(old->admit(0, who, at(1s)).admitted);
  EXPECT_TRUE(old->admit(1, named(*old, "alice", 1), at(1s)).admitted);
  const std::array after = {limit_of("b", 1, 1h, 3), limit_of("new", 1, 1h, 1),
                            limit_of("a", 1, 1h, 2)};
  const limiter fresh(after, 2, old.get());
  EXPECT_EQ(named(fresh, "alice", 2), who);
  EXPECT_TRUE(fresh.admit(2, who, at(1s)).admitted);
  EXPECT_FALSE(old->admit(0, who, at(1s)).admitted);  // one budget, for as long as both live
  old.reset();
  EXPECT_FALSE(fresh.admit(2, who, at(1s)).admitted);
  EXPECT_EQ(fresh.admit(0, who, at(1s)).remaining, 2U);  // another burst: another budget
}

TEST(Limiter, ARateOfZeroIsOff) {
  const limiter limits = one_limit(limit_of("a", 0, 1s, 1));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limits.admit(0, {.hash = 1}, at(1s)).admitted);
}

TEST(Pace, RoundsTowardsFewer) {
  EXPECT_EQ(make_pace({.count = 3, .per = 1s}, 1).interval_ns, 333'333'334U);
  EXPECT_EQ(make_pace({.count = 4'000'000'000, .per = 1s}, 1).interval_ns, 1U);
  EXPECT_EQ(make_pace({.count = 1, .per = 1s}, 0).burst, 1U);
  const pace huge = make_pace({.count = 1, .per = 24h}, UINT64_MAX);
  EXPECT_LE(huge.window_ns, longest_ns);
  EXPECT_EQ(huge.window_ns, huge.burst * huge.interval_ns);
}

}  // namespace
}  // namespace rw::limit
