#include "limit/strikes.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "interleavings.h"

namespace rw::limit {
namespace {

using namespace model;

constexpr std::uint64_t preemptions = 3;
constexpr strike_rule ten{.most = 10, .quarter = 15};

// One key alone in its set.
class alone {
 public:
  bool fails(std::uint64_t now, std::uint32_t weight = 1, const strike_rule& rule = ten) {
    tally its(packed_);
    const bool out = count_strike(its, weight, now, rule);
    packed_ = its.packed();
    return out;
  }
  std::uint64_t packed() const { return packed_; }

 private:
  std::uint64_t packed_ = 0;
};

TEST(Strikes, TheTenthWithinTheTimeIsOut) {
  for (const std::uint64_t apart : {0U, 1U, 6U}) {  // the tenth 0, 9 and 54 ticks after the first
    alone client;
    for (std::uint64_t i = 0; i < 9; ++i) EXPECT_FALSE(client.fails(1000 + i * apart));
    EXPECT_TRUE(client.fails(1000 + 9 * apart)) << apart;
    EXPECT_FALSE(client.fails(1000 + 9 * apart)) << "begins anew";
  }
}

TEST(Strikes, FewerThanThatWithinTheTimeNeverAre) {
  alone client;
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_FALSE(client.fails(i * 7)) << i;  // nine in 60
}

TEST(Strikes, WhatIsWorseCountsForMore) {
  alone client;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(client.fails(5, 2));
  EXPECT_FALSE(client.fails(5, 1));
  EXPECT_TRUE(client.fails(5, 2));
  EXPECT_TRUE(alone().fails(5, 100));
}

TEST(Strikes, AClockBehindTheOthersCountsAllTheSame) {
  alone client;
  for (std::uint64_t i = 0; i < 9; ++i) EXPECT_FALSE(client.fails(1000 - i));
  EXPECT_TRUE(client.fails(900));
}

TEST(Strikes, TenYearsOfTicksHaveRoom) {
  constexpr std::uint64_t late = (std::uint64_t{1} << 35U) - 100;
  alone client;
  for (std::uint64_t i = 0; i < 9; ++i) EXPECT_FALSE(client.fails(late + i));
  EXPECT_EQ(client.packed() & pending_bit, 0U);
  EXPECT_TRUE(client.fails(late + 9));
}

// Against every failure remembered for what it is: who is out had `most` within the time, and who
// had `most` within three quarters of it is out.
TEST(Strikes, AreRightWhateverTheOrder) {
  std::mt19937_64 random(7);
  constexpr std::uint64_t within = 4 * ten.quarter;
  const auto times_out = [&](std::uint64_t apart_max) {
    alone client;
    std::deque<std::pair<std::uint64_t, std::uint32_t>> past;  // since it was out last
    std::uint64_t now = 100;
    int out = 0;
    for (int i = 0; i < 20000; ++i) {
      now += random() % apart_max;
      const auto weight = static_cast<std::uint32_t>(1 + random() % 3);
      past.emplace_back(now, weight);
      const auto weighed = [&](std::uint64_t time) {
        std::uint32_t sum = 0;
        for (const auto& [at, its] : past) sum += at + time > now ? its : 0;
        return sum;
      };
      if (client.fails(now, weight)) {
        ++out;
        EXPECT_GE(weighed(within), ten.most);
        past.clear();
      } else {
        EXPECT_LT(weighed(within - ten.quarter), ten.most);
      }
      while (!past.empty() && past.front().first + within <= now) past.pop_front();
    }
    return out;
  };
  EXPECT_GT(times_out(5), 1000);
  EXPECT_GT(times_out(14), 1000);
  EXPECT_LT(times_out(500), 20);
}

template <unsigned Ways>
typename explorer<Ways>::thread strikes(std::uint64_t tag, std::uint64_t now, strike_rule rule,
                                        int times = 1) {
  return [=](memory<Ways>& set) {
    std::vector<outcome> made;
    for (int i = 0; i < times; ++i) {
      made.push_back({.admitted = strike(set, tag, 1, now, rule), .when = 0});
    }
    return made;
  };
}

// At most one cell for a key.
template <unsigned Ways>
void one_cell_each(const state<Ways>& here) {
  std::map<std::uint64_t, int> active;
  for (const cell& c : here.cells) {
    if (c.tag == 0 || is_pending(c)) continue;
    ASSERT_EQ(++active[c.tag], 1) << "two tallies of the key " << c.tag;
  }
}

template <unsigned Ways>
std::uint32_t noted(const state<Ways>& end, std::uint64_t tag) {
  std::uint32_t sum = 0;
  for (const cell& c : end.cells) {
    EXPECT_FALSE(is_pending(c));
    if (c.tag == tag) sum += tally(c.when).sum();
  }
  return sum;
}

unsigned out(const std::vector<std::vector<outcome>>& made) {
  unsigned sum = 0;
  for (const auto& thread : made) {
    for (const outcome& one : thread) sum += one.admitted ? 1 : 0;
  }
  return sum;
}

// In every interleaving of three failures on three cores: the third, and no other, is out.
TEST(Strikes, OfSeveralCoresOneIsToldThatItIsEnough) {
  for (const std::uint32_t most : {2U, 3U, 4U}) {
    const strike_rule rule{.most = most, .quarter = 10};
    explorer<2> all;
    all.run(
        {}, {strikes<2>(7, 50, rule), strikes<2>(7, 50, rule), strikes<2>(7, 50, rule)},
        one_cell_each<2>,
        [&](const state<2>& end, const std::vector<std::vector<outcome>>& made) {
          ASSERT_EQ(out(made), most <= 3 ? 1U : 0U);
          ASSERT_EQ(noted(end, 7), most <= 3 ? 3 - most : 3U);
        },
        preemptions);
    EXPECT_GT(all.states(), 500U);
    EXPECT_EQ(all.given_up(), 0U);
  }
}

// Two keys want the one cell that is left: nothing else is touched.
TEST(Strikes, KeysThatPushOutEachOther) {
  const strike_rule rule{.most = 9, .quarter = 10};
  const std::uint64_t five = std::uint64_t{45} << 28U | 5;
  explorer<2> all;
  all.run(
      {cell{9, five}, cell{}}, {strikes<2>(7, 50, rule), strikes<2>(8, 50, rule)}, one_cell_each<2>,
      [&](const state<2>& end, const std::vector<std::vector<outcome>>& made) {
        ASSERT_EQ(out(made), 0U);
        ASSERT_EQ(noted(end, 9), 5U);
        ASSERT_EQ(noted(end, 7) + noted(end, 8), 1U);
        ASSERT_EQ(end.forgiven, 1U);
      },
      preemptions);
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Strikes, WhatIsTooOldGivesWayForNothing) {
  const strike_rule rule{.most = 9, .quarter = 10};
  const std::uint64_t old = std::uint64_t{5} << 28U | 8;
  const std::uint64_t fresh = std::uint64_t{45} << 28U | 1;
  explorer<2> all;
  all.run({cell{9, old}, cell{10, fresh}}, {strikes<2>(7, 50, rule)}, one_cell_each<2>,
          [&](const state<2>& end, const auto&) {
            ASSERT_EQ(noted(end, 9), 0U);
            ASSERT_EQ(noted(end, 10), 1U);
            ASSERT_EQ(noted(end, 7), 1U);
            ASSERT_EQ(end.forgiven, 0U);
          });
}

}  // namespace
}  // namespace rw::limit
