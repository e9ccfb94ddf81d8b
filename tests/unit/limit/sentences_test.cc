#include "limit/sentences.h"

#include <gtest/gtest.h>

#include <map>

#include "interleavings.h"

namespace rw::limit {
namespace {

using namespace model;

constexpr std::uint64_t preemptions = 3;
constexpr sentence_rule rule{.first_ms = 600, .longest_ms = 86'400, .forgotten_ms = 1000};

TEST(Sentences, ArePackedWithoutLoss) {
  const sentence one{.until_ms = (std::uint64_t{1} << 47U) - 1, .repeat = 40, .why = 5};
  EXPECT_EQ(one.packed() & pending_bit, 0U);
  const sentence again = sentence::unpack(one.packed());
  EXPECT_EQ(again.until_ms, one.until_ms);
  EXPECT_EQ(again.repeat, 40U);
  EXPECT_EQ(again.why, 5U);
}

TEST(Sentences, DoubleUpToTheLongest) {
  sentence last;
  std::uint64_t now = 1000;
  std::vector<std::uint64_t> times;
  for (int i = 0; i < 60; ++i) {
    const sentence next = next_sentence(last, now, 0, rule);
    times.push_back(next.until_ms - now);
    last = next;
    now = next.until_ms + 10;
  }
  EXPECT_EQ(std::vector(times.begin(), times.begin() + 9),
            (std::vector<std::uint64_t>{600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 86400}));
  EXPECT_EQ(times.back(), 86400U);
}

TEST(Sentences, BeginAnewOnceForgotten) {
  const sentence first = next_sentence({}, 1000, 0, rule);
  EXPECT_EQ(first.repeat, 1U);
  EXPECT_EQ(next_sentence(first, first.until_ms + 999, 0, rule).repeat, 2U);
  EXPECT_EQ(next_sentence(first, first.until_ms + 1000, 0, rule).repeat, 1U);
}

template <unsigned Ways>
typename explorer<Ways>::thread bans(std::uint64_t tag, std::uint64_t now) {
  return [=](memory<Ways>& set) -> std::vector<outcome> {
    sentence made;
    const sentenced how = shut_out(set, tag, now, 3, rule, made);
    return {{.admitted = how == sentenced::done, .when = static_cast<std::uint64_t>(how)}};
  };
}

template <unsigned Ways>
typename explorer<Ways>::thread forgets(std::uint64_t tag) {
  return [=](memory<Ways>& set) -> std::vector<outcome> {
    return {{.admitted = forget(set, tag, [](const sentence&) { return true; }), .when = 0}};
  };
}

cell in_force(std::uint64_t tag, std::uint64_t until) {
  return {tag, sentence{.until_ms = until, .repeat = 1}.packed()};
}

template <unsigned Ways>
auto keeps(std::uint64_t tag) {
  return [tag](const state<Ways>& here) {
    std::map<std::uint64_t, int> active;
    for (const cell& c : here.cells) {
      if (c.tag == 0 || is_pending(c)) continue;
      ASSERT_EQ(++active[c.tag], 1) << "two sentences of " << c.tag;
    }
    if (tag != 0) {
      ASSERT_EQ(active[tag], 1) << "a ban in force has gone";
    }
  };
}

template <unsigned Ways>
std::vector<sentence> of(const state<Ways>& end, std::uint64_t tag) {
  std::vector<sentence> found;
  for (const cell& c : end.cells) {
    EXPECT_FALSE(is_pending(c));
    if (c.tag == tag) found.push_back(sentence::unpack(c.when));
  }
  return found;
}

TEST(Sentences, OfSeveralCoresThatBanOneDoes) {
  explorer<2> all;
  all.run(
      {}, {bans<2>(7, 1000), bans<2>(7, 1000), bans<2>(7, 1000)}, keeps<2>(0),
      [](const state<2>& end, const auto& made) {
        const auto its = of(end, 7);
        ASSERT_EQ(its.size(), 1U);
        ASSERT_EQ(its[0].until_ms, 1600U);
        ASSERT_EQ(its[0].repeat, 1U);
        ASSERT_EQ(made[0][0].admitted + made[1][0].admitted + made[2][0].admitted, 1);
      },
      preemptions);
  EXPECT_GT(all.states(), 500U);
  EXPECT_EQ(all.given_up(), 0U);
}

// Three addresses for two places, one of which is free, or holds what is over.
TEST(Sentences, WhatIsInForceGivesWayToNothing) {
  for (const std::uint64_t until : {0U, 900U}) {
    explorer<2> all;
    const cell other = until == 0 ? cell{} : in_force(6, until);
    all.run(
        {in_force(9, 5000), other}, {bans<2>(7, 1000), bans<2>(8, 1000)}, keeps<2>(9),
        [](const state<2>& end, const auto& made) {
          ASSERT_EQ(of(end, 9).size(), 1U);
          ASSERT_EQ(of(end, 9)[0].until_ms, 5000U);
          ASSERT_EQ(of(end, 7).size() + of(end, 8).size(), 1U);
          ASSERT_EQ(made[0][0].admitted + made[1][0].admitted, 1);
        },
        preemptions);
    EXPECT_EQ(all.given_up(), 0U);
  }
}

TEST(Sentences, BanningRacesWithForgetting) {
  explorer<2> all;
  all.run({in_force(7, 900), cell{}}, {bans<2>(7, 1000), forgets<2>(7)}, keeps<2>(0),
          [](const state<2>& end, const auto& made) {
            ASSERT_TRUE(made[0][0].admitted);
            const auto its = of(end, 7);
            ASSERT_LE(its.size(), 1U);
            // Forgotten before it was banned once more, in between, or after that.
            if (!its.empty()) {
              ASSERT_GE(its[0].until_ms, 1600U);
            }
          });
  EXPECT_EQ(all.given_up(), 0U);
}

}  // namespace
}  // namespace rw::limit
