// What a limit may be besides a rate of requests: a bound on those under way, a rate of bytes, a
// shadow, and by headers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "base/random.h"
#include "limit/limiter.h"

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

mono_time at(nanoseconds since_start) { return mono_time{since_start}; }

config::limit hourly(std::string name, std::uint64_t burst) {
  return {.name = std::move(name),
          .by = {config::limit_key::identity},
          .rate = {.count = 1, .per = 1h},
          .burst = burst,
          .capacity = 4096};
}

config::limit concurrent(std::uint32_t most) {
  config::limit made = hourly("c", 1);
  made.rate = {};
  made.concurrent = most;
  return made;
}

demand of(const limiter& limits, std::uint32_t index, std::string_view who = "alice") {
  return limits.make_demand(index, {.identity = who});
}

TEST(Concurrent, BoundsWhatIsUnderWay) {
  const std::array list{concurrent(2)};
  const limiter limits(list, 2);
  const demand alice = of(limits, 0);
  EXPECT_TRUE(limits.admit(alice, at(1s)).admitted);
  EXPECT_TRUE(limits.admit(alice, at(1s)).admitted);
  const decision third = limits.admit(alice, at(10h));
  EXPECT_FALSE(third.admitted);
  EXPECT_EQ(third.met, bound::under_way);
  EXPECT_TRUE(limits.admit(of(limits, 0, "bob"), at(1s)).admitted);
  limits.leave(alice);
  EXPECT_TRUE(limits.admit(alice, at(1s)).admitted);
}

TEST(Concurrent, BesideARateBothMustAdmit) {
  std::array list{hourly("both", 3)};
  list[0].concurrent = 2;
  const limiter limits(list, 2);
  const demand alice = of(limits, 0);
  EXPECT_TRUE(limits.admit(alice, at(1s)).admitted);
  EXPECT_TRUE(limits.admit(alice, at(1s)).admitted);
  EXPECT_EQ(limits.admit(alice, at(1s)).met, bound::under_way);  // takes nothing from the budget
  limits.leave(alice);
  EXPECT_EQ(limits.admit(alice, at(1s)).remaining, 0U);
  limits.leave(alice);
  limits.leave(alice);
  for (int i = 0; i < 3; ++i) {  // what the rate refuses is not under way
    EXPECT_EQ(limits.admit(alice, at(1s)).met, bound::rate);
  }
  limits.give_back(alice, at(1s), at(1s));  // as after an admission that another limit undid
  EXPECT_TRUE(limits.admit(alice, at(1s)).admitted);
}

TEST(Concurrent, ARefusalByAnotherLimitGivesThePlaceBack) {
  const std::array list{concurrent(1), hourly("rate", 1)};
  const limiter limits(list, 2);
  std::array<decision, 2> made;
  for (int i = 0; i < 2; ++i) {
    const std::array demands{of(limits, 0), of(limits, 1)};
    EXPECT_EQ(limits.admit_all(demands, at(1s), made), i == 0 ? std::nullopt : std::optional(1U));
    if (i == 0) limits.leave(demands[0]);
  }
  EXPECT_TRUE(limits.admit(of(limits, 0), at(1s)).admitted);
}

TEST(Concurrent, CountsLiveOnInTheNextConfiguration) {
  const std::array before{concurrent(1)};
  const std::array after{concurrent(2)};
  const limiter old(before, 2);
  const limiter fresh(after, 2, &old);
  EXPECT_TRUE(old.admit(of(old, 0), at(1s)).admitted);
  EXPECT_TRUE(fresh.admit(of(fresh, 0), at(1s)).admitted);
  EXPECT_FALSE(fresh.admit(of(fresh, 0), at(1s)).admitted);
  old.leave(of(old, 0));
  EXPECT_TRUE(fresh.admit(of(fresh, 0), at(1s)).admitted);
}

// Never more than the bound, over threads that enter and leave as fast as they can.
TEST(Concurrent, IsExactOverThreads) {
  const std::array list{concurrent(3)};
  const limiter limits(list, 4);
  constexpr unsigned keys = 5;
  std::array<std::atomic<int>, keys> inside{};
  std::atomic<int> most{0};
  std::atomic<std::uint64_t> entered{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; i < 20'000; ++i) {
          const unsigned who = random() % keys;
          const demand what = of(limits, 0, std::string(1, static_cast<char>('a' + who)));
          if (!limits.admit(what, at(1s)).admitted) continue;
          const int now = inside[who].fetch_add(1) + 1;
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
          }
          ++entered;
          if (random() % 4 == 0) std::this_thread::yield();
          inside[who].fetch_sub(1);
          limits.leave(what);
        }
      });
    }
  }
  EXPECT_LE(most, 3);
  EXPECT_GT(entered, 20'000U);
  for (unsigned who = 0; who < keys; ++who) {
    const demand what = of(limits, 0, std::string(1, static_cast<char>('a' + who)));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.admit(what, at(1s)).admitted);
    EXPECT_FALSE(limits.admit(what, at(1s)).admitted);
  }
}

// docs/limits.md: a quarter of the default capacity, all of different callers.
TEST(Concurrent, FindsRoomForAQuarterOfTheCapacity) {
  random_init();
  std::array list{concurrent(1)};
  list[0].capacity = 262'144;
  const limiter limits(list, 2);
  int refused = 0;
  for (int i = 0; i < 65'536; ++i) {
    const decision made = limits.admit(of(limits, 0, std::to_string(i)), at(1s));
    if (made.admitted) continue;
    EXPECT_EQ(made.met, bound::room);
    ++refused;
  }
  EXPECT_LT(refused, 65);  // 1 in 1,000; some 6 are expected
}

TEST(Cost, IsTakenFromTheBudgetAtOnce) {
  const std::array list{hourly("bytes", 1000)};
  const limiter limits(list, 2);
  demand what = of(limits, 0);
  what.cost = 600;
  EXPECT_EQ(limits.admit(what, at(1s)).remaining, 400U);
  const decision refused = limits.admit(what, at(1s));
  EXPECT_EQ(refused.met, bound::rate);
  EXPECT_EQ(refused.remaining, 400U);
  EXPECT_EQ(refused.retry_after, 200h);
  EXPECT_TRUE(limits.admit(what, at(1s + 200h)).admitted);
  limits.give_back(what, at(1s + 200h), at(1s + 200h));
  EXPECT_TRUE(limits.admit(what, at(1s + 200h)).admitted);
  what.cost = 0;
  const decision nothing = limits.admit(what, at(1s + 200h));
  EXPECT_TRUE(nothing.admitted);
  EXPECT_EQ(nothing.remaining, 0U);
  what.cost = 1001;
  EXPECT_EQ(limits.admit(what, at(9000h)).met, bound::size);
  what.cost = 1000;
  EXPECT_TRUE(limits.admit(what, at(9000h)).admitted);
}

// Never more than burst + rate x time, whatever each costs.
TEST(Cost, AdmitsNoMoreThanTheRate) {
  random_init();
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t burst = 1 + random() % 5000;
    std::array list{hourly("bytes", burst)};
    list[0].rate = {.count = 1 + random() % 2000, .per = 1s};
    const limiter limits(list, 2);
    nanoseconds now = 1s;
    std::uint64_t admitted = 0;
    for (int i = 0; i < 2000; ++i) {
      demand what = of(limits, 0);
      what.cost = random() % (burst + 2);
      if (limits.admit(what, at(now)).admitted) admitted += what.cost;
      const auto passed = static_cast<unsigned __int128>((now - 1s).count());
      const auto most =
          burst + static_cast<std::uint64_t>(passed * list[0].rate.count / 1'000'000'000);
      ASSERT_LE(admitted, most);
      now += nanoseconds(random() % 50'000'000);
    }
    ASSERT_GT(admitted, 0U);
  }
}

TEST(Shadow, RefusesNothingAndSaysWhatItWouldHave) {
  std::array list{hourly("shadow", 1), hourly("rate", 3), concurrent(9)};
  list[0].shadow = true;
  const limiter limits(list, 2);
  std::array<decision, 3> made;
  const std::array demands{of(limits, 0), of(limits, 1), of(limits, 2)};
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(limits.admit_all(demands, at(1s), made), std::nullopt);
    EXPECT_EQ(made[0].admitted, i == 0);
    EXPECT_TRUE(made[1].admitted);
  }
  EXPECT_EQ(made[0].met, bound::rate);
  EXPECT_EQ(limits.admit_all(demands, at(1s), made), 1U);
}

TEST(Shadow, TakesNothingForARequestThatAnotherRefuses) {
  std::array list{hourly("shadow", 5), hourly("rate", 1)};
  list[0].shadow = true;
  const limiter limits(list, 2);
  std::array<decision, 2> made;
  const std::array demands{of(limits, 0), of(limits, 1)};
  for (int i = 0; i < 4; ++i) limits.admit_all(demands, at(1s), made);
  EXPECT_EQ(limits.admit(demands[0], at(1s)).remaining, 3U);
}

TEST(Headers, AreWhatTheyAreCountedBy) {
  std::array list{hourly("tenant", 1)};
  list[0].by = {};
  list[0].by_headers = {"x-tenant", "x-region"};
  const limiter limits(list, 2);
  const auto key_of = [&](std::string_view tenant, std::string_view region) {
    const std::array values{tenant, region};
    return limits.make_key(0, {.headers = values});
  };
  EXPECT_EQ(key_of("a", "b"), key_of("a", "b"));
  EXPECT_NE(key_of("a", "b"), key_of("b", "a"));
  EXPECT_NE(key_of("ab", ""), key_of("", "ab"));
  EXPECT_NE(key_of("ab", ""), key_of("a", "b"));
  EXPECT_FALSE(limits.needs_identity(0));
}

}  // namespace
}  // namespace rw::limit
