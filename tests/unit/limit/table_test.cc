#include "limit/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <random>
#include <thread>
#include <vector>

namespace rw::limit {
namespace {

constexpr pace per_millisecond{.interval_ns = 1'000'000, .window_ns = 20'000'000, .burst = 20};

key spread(std::uint64_t n) {
  // A fixed bijection with all bits mixed, in place of SipHash.
  n = (n ^ (n >> 31U)) * 0x9e3779b97f4a7c15U + 0x632be59bd9b4e019U;
  n = (n ^ (n >> 29U)) * 0xbf58476d1ce4e5b9U;
  n ^= n >> 32U;
  return {n == 0 ? 1 : n};
}

// Keys of one and the same set of a table with a single set.
key of_one_set(std::uint64_t n) { return spread(n); }

TEST(Table, RoundsItsCapacityUpToWholeSets) {
  EXPECT_EQ(table(1, 1).capacity(), 8U);
  EXPECT_EQ(table(262144, 2).capacity(), 262144U);
  EXPECT_EQ(table(262144, 3).capacity(), 262152U);
  EXPECT_EQ(table(100, 4).capacity(), 128U);
}

TEST(Table, TheEntryNearestToAFullBudgetGivesWay) {
  table limits(8, 1);
  // Key i owes i + 1 requests.
  for (std::uint64_t i = 0; i < 8; ++i) {
    for (std::uint64_t n = 0; n <= i; ++n) limits.take(of_one_set(i), 0, per_millisecond);
  }
  limits.take(of_one_set(100), 0, per_millisecond);
  limits.take(of_one_set(100), 0, per_millisecond);
  limits.take(of_one_set(100), 0, per_millisecond);
  EXPECT_EQ(limits.peek(of_one_set(0), 0, per_millisecond).when, 0U);  // forgotten: owed one
  for (std::uint64_t i = 1; i < 8; ++i) {
    EXPECT_EQ(limits.peek(of_one_set(i), 0, per_millisecond).when, (i + 1) * 1'000'000);
  }
  EXPECT_EQ(limits.forgiven(), 1U);
}

TEST(Table, ABudgetThatIsFullAgainIsNoLoss) {
  table limits(8, 1);
  std::uint64_t now = 0;
  for (std::uint64_t i = 0; i < 1000; ++i, now += 1'000'000) {
    EXPECT_TRUE(limits.take(of_one_set(i), now, per_millisecond).admitted);
  }
  EXPECT_EQ(limits.forgiven(), 0U);
}

// Nobody is washed clean below the capacity of a set; above it, a key is admitted at most a burst
// more for each time it was pushed out by the request of another.
TEST(Table, WashingAKeyCleanCostsARequestOfAnotherEachTime) {
  table limits(8, 1);
  const key mine = of_one_set(1'000'000);
  std::uint64_t admitted = 0;
  const auto hammer = [&] {
    while (limits.take(mine, 0, per_millisecond).admitted) ++admitted;
  };
  hammer();
  for (std::uint64_t i = 0; i < 7; ++i) limits.take(of_one_set(i), 0, per_millisecond);
  hammer();
  EXPECT_EQ(admitted, per_millisecond.burst);
  // The others owe less, so they give way to each other before this key does.
  for (std::uint64_t i = 7; i < 500; ++i) limits.take(of_one_set(i), 0, per_millisecond);
  hammer();
  EXPECT_EQ(admitted, per_millisecond.burst);
  // Eight keys that each owe as much as ours are needed.
  for (std::uint64_t i = 500; i < 516; ++i) {
    while (limits.take(of_one_set(i), 0, per_millisecond).admitted) {
    }
  }
  hammer();
  EXPECT_LE(admitted, 2 * per_millisecond.burst);
}

TEST(Table, SpreadsKeysOverShardsAndSets) {
  table limits(80'000, 5);
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    EXPECT_TRUE(limits.take(spread(i), 0, per_millisecond).admitted);
  }
  // Half full and eight ways: about one set in fifty has more than eight keys.
  EXPECT_LT(limits.forgiven(), 1'000U);
}

struct hammering {
  unsigned threads = 4;
  std::uint64_t keys = 1;
  std::uint32_t capacity = 1024;
  std::uint64_t rounds = 20'000;
};

// Threads over a clock that all advance: what was admitted per key, and at which time the first.
std::vector<std::uint64_t> hammer(table& limits, const hammering& how, const pace& pace,
                                  std::uint64_t& end) {
  std::vector<std::atomic<std::uint64_t>> admitted(how.keys);
  std::atomic<std::uint64_t> clock{0};
  std::barrier together(static_cast<std::ptrdiff_t>(how.threads));
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < how.threads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      together.arrive_and_wait();
      for (std::uint64_t i = 0; i < how.rounds; ++i) {
        const std::uint64_t now = clock.fetch_add(random() % 4000, std::memory_order_relaxed);
        const std::uint64_t k = random() % how.keys;
        if (limits.take(spread(k), now, pace).admitted) admitted[k].fetch_add(1);
      }
    });
  }
  threads.clear();
  end = clock.load();
  return {admitted.begin(), admitted.end()};
}

TEST(Table, FourCoresOnOneKeyAdmitTheBoundExactly) {
  for (int round = 0; round < 5; ++round) {
    table limits(1024, 4);
    std::uint64_t end = 0;
    const hammering how;
    const std::uint64_t admitted = hammer(limits, how, per_millisecond, end)[0];
    const std::uint64_t bound = per_millisecond.burst + end / per_millisecond.interval_ns;
    EXPECT_LE(admitted, bound);
    // Demand is far above the rate, so nothing but decisions in flight at the end may be missing.
    EXPECT_GE(admitted + how.threads, bound);
  }
}

TEST(Table, FourCoresOnManyKeysAdmitTheBoundForEach) {
  table limits(4096, 4);
  const hammering how{.keys = 50, .rounds = 50'000};
  const pace slow{.interval_ns = 10'000'000, .window_ns = 50'000'000, .burst = 5};
  std::uint64_t end = 0;
  for (const std::uint64_t admitted : hammer(limits, how, slow, end)) {
    const std::uint64_t bound = slow.burst + end / slow.interval_ns;
    EXPECT_LE(admitted, bound);
    EXPECT_GE(admitted + how.threads, bound);
  }
  EXPECT_EQ(limits.forgiven(), 0U);
}

// More keys than entries, all cores evicting each other's: the sum stays below a burst for each
// insertion, of which there is one at first and one for each eviction.
TEST(Table, FourCoresEvictingEachOthersKeysStayBounded) {
  table limits(8, 1);
  const hammering how{.keys = 12, .rounds = 50'000};
  std::uint64_t end = 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t admitted : hammer(limits, how, per_millisecond, end)) sum += admitted;
  const std::uint64_t each = per_millisecond.burst + end / per_millisecond.interval_ns;
  EXPECT_LE(sum, how.keys * each + limits.forgiven() * per_millisecond.burst);
}

// All cores insert the same new key at the same moment, again and again: one budget comes of it.
TEST(Table, FourCoresInsertOneKeyAtOnce) {
  constexpr unsigned cores = 4;
  constexpr std::uint64_t keys = 20'000;
  constexpr pace single{.interval_ns = 1'000'000'000, .window_ns = 1'000'000'000, .burst = 1};
  table limits(8, 1);  // one set: every insertion also evicts
  std::vector<std::atomic<int>> admitted(keys);
  std::barrier together(cores);
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < cores; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t k = 0; k < keys; ++k) {
        if (k % 100 == 0) together.arrive_and_wait();
        if (limits.take(spread(k), 0, single).admitted) admitted[k].fetch_add(1);
      }
    });
  }
  threads.clear();
  std::uint64_t sum = 0;
  for (const auto& count : admitted) {
    EXPECT_GE(count.load(), 1);
    sum += static_cast<std::uint64_t>(count.load());
  }
  EXPECT_LE(sum, keys + limits.forgiven());
}

}  // namespace
}  // namespace rw::limit
