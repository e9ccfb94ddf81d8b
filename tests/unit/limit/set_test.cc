#include "limit/set.h"

#include <gtest/gtest.h>

#include <map>

#include "interleavings.h"

namespace rw::limit {
namespace {

using namespace model;

constexpr std::uint64_t now = 1000;
constexpr pace one_each{.interval_ns = 10, .window_ns = 10, .burst = 1};
constexpr pace two_each{.interval_ns = 10, .window_ns = 20, .burst = 2};
constexpr pace three_each{.interval_ns = 10, .window_ns = 30, .burst = 3};

// For three threads over different keys; for two threads, and for three over one key, all
// interleavings are explored.
constexpr std::uint64_t preemptions = 3;

template <unsigned Ways>
typename explorer<Ways>::thread taker(std::uint64_t tag, pace at, int times = 1,
                                      std::uint64_t clock = now) {
  return [=](memory<Ways>& set) {
    std::vector<outcome> made;
    for (int i = 0; i < times; ++i) made.push_back(take(set, tag, clock, at));
    return made;
  };
}

// An insertion that chose its victim long ago, whatever has happened in the set since, and that
// goes on as take() does.
template <unsigned Ways>
typename explorer<Ways>::thread latecomer(std::uint64_t tag, unsigned at, cell victim, pace pace) {
  return [=](memory<Ways>& set) -> std::vector<outcome> {
    const cell mine{tag, pending_bit | set.stamp()};
    cell expected = victim;
    const std::uint64_t when = now + pace.interval_ns;
    if (set.swap(at, expected, mine) && complete(set, at, mine, {tag, when})) {
      return {{.admitted = true, .when = when}};
    }
    return {take(set, tag, now, pace)};
  };
}

template <unsigned Ways>
void active_once(const state<Ways>& here) {
  std::map<std::uint64_t, int> active;
  for (const cell& c : here.cells) {
    if (c.tag != 0 && !is_pending(c)) {
      ASSERT_EQ(++active[c.tag], 1) << "two budgets for the key " << c.tag;
    }
  }
}

template <unsigned Ways>
void nothing_pending(const state<Ways>& here) {
  for (const cell& c : here.cells) ASSERT_FALSE(is_pending(c));
}

using results = std::vector<std::vector<outcome>>;

int admitted(const results& all) {
  int sum = 0;
  for (const auto& thread : all) {
    for (const outcome& one : thread) sum += one.admitted;
  }
  return sum;
}

TEST(Set, TwoCoresInsertOneKeyIntoAnEmptySet) {
  explorer<3> all;
  all.run({}, {taker<3>(7, one_each), taker<3>(7, one_each)}, active_once<3>,
          [](const state<3>& end, const results& made) {
            nothing_pending(end);
            ASSERT_EQ(admitted(made), 1);
          });
  EXPECT_GT(all.states(), 100U);
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Set, TwoCoresInsertOneKeyAndTakeTwice) {
  explorer<2> all;
  all.run({}, {taker<2>(7, two_each, 2), taker<2>(7, two_each, 2)}, active_once<2>,
          [](const state<2>& end, const results& made) {
            nothing_pending(end);
            ASSERT_EQ(admitted(made), 2);
          });
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Set, ThreeCoresInsertOneKey) {
  explorer<2> all;
  all.run({}, {taker<2>(7, two_each), taker<2>(7, two_each), taker<2>(7, two_each)}, active_once<2>,
          [](const state<2>& end, const results& made) {
            nothing_pending(end);
            ASSERT_EQ(admitted(made), 2);
          });
  EXPECT_GT(all.states(), 1000U);
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Set, TwoInsertionsOfOneKeyChoseDifferentCells) {
  explorer<3> all;
  all.run({}, {latecomer<3>(7, 0, {}, one_each), latecomer<3>(7, 2, {}, one_each)}, active_once<3>,
          [](const state<3>& end, const results& made) {
            nothing_pending(end);
            ASSERT_EQ(admitted(made), 1);
          });
  EXPECT_GT(all.states(), 300U);
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Set, AnInsertionMeetsTheKeyInAnotherCell) {
  for (const unsigned at : {0U, 2U}) {
    explorer<3> all;
    const std::array<cell, 3> spent = {cell{}, cell{7, now + 10}, cell{}};
    all.run(spent, {latecomer<3>(7, at, {}, one_each), taker<3>(7, one_each)}, active_once<3>,
            [](const state<3>& end, const results& made) {
              nothing_pending(end);
              ASSERT_EQ(admitted(made), 0);
            });
    EXPECT_EQ(all.given_up(), 0U);
  }
}

// The second latecomer for cell 1 puts its insertion where the first one's was: only the stamp
// tells them apart.
TEST(Set, ThreeInsertionsOfOneKeyChoseDifferentCells) {
  explorer<2> all;
  all.run(
      {},
      {latecomer<2>(7, 1, {}, two_each), latecomer<2>(7, 0, {}, two_each),
       latecomer<2>(7, 1, {}, two_each)},
      active_once<2>,
      [](const state<2>& end, const results& made) {
        nothing_pending(end);
        ASSERT_EQ(admitted(made), 2);
      },
      preemptions + 1);
  EXPECT_GT(all.states(), 1000U);
  EXPECT_EQ(all.given_up(), 0U);
}

// The victim two insertions choose differs, because a third core moves the entry that was earliest:
// this is how one key could come to lie in two cells.
TEST(Set, TwoCoresInsertOneKeyWhileTheVictimChanges) {
  explorer<2> all;
  const std::array<cell, 2> full = {cell{5, now - 5}, cell{6, now - 4}};
  all.run(
      full, {taker<2>(7, one_each), taker<2>(7, one_each), taker<2>(5, two_each)}, active_once<2>,
      [](const state<2>& end, const results& made) {
        nothing_pending(end);
        ASSERT_LE(admitted(made), 2 + static_cast<int>(end.forgiven));
      },
      preemptions);
  EXPECT_GT(all.states(), 1000U);
}

// Key 7 owes its whole burst; others push it out while it is being asked for. It is admitted again
// only as often as it was forgiven.
TEST(Set, AnEntryIsEvictedUnderASwap) {
  explorer<2> all;
  const std::array<cell, 2> full = {cell{7, now + 10}, cell{8, now + 15}};
  all.run(
      full, {taker<2>(7, one_each, 2), taker<2>(9, one_each), taker<2>(8, three_each)},
      active_once<2>,
      [](const state<2>& end, const results& made) {
        nothing_pending(end);
        const int sevens = made[0][0].admitted + made[0][1].admitted;
        ASSERT_LE(sevens, static_cast<int>(end.forgiven));
      },
      preemptions);
  EXPECT_GT(all.states(), 1000U);
}

TEST(Set, MoreKeysThanCellsAtOnce) {
  explorer<2> all;
  all.run(
      {}, {taker<2>(7, one_each), taker<2>(8, one_each), taker<2>(9, one_each)}, active_once<2>,
      [](const state<2>& end, const results& made) {
        nothing_pending(end);
        ASSERT_EQ(admitted(made), 3);
      },
      preemptions);
  EXPECT_GT(all.states(), 1000U);
}

TEST(Set, GivingBackRacesWithTakingAndInserting) {
  explorer<2> all;
  const explorer<2>::thread undecided = [](memory<2>& set) {
    std::vector<outcome> kept{take(set, 7, now, one_each)};
    if (kept[0].admitted) {
      give_back(set, 7, one_each.interval_ns);
      kept[0].admitted = false;
    }
    return kept;
  };
  all.run({}, {undecided, taker<2>(7, one_each, 2)}, active_once<2>,
          [](const state<2>& end, const results& made) {
            nothing_pending(end);
            ASSERT_LE(admitted(made), 1);
            // What was given back is there again: the one budget is either used or whole.
            std::uint64_t when = 0;
            for (const cell& c : end.cells) {
              if (c.tag == 7) when = c.when;
            }
            ASSERT_EQ(when, admitted(made) == 1 ? now + 10 : now);
          });
  EXPECT_GT(all.states(), 100U);
}

// Clocks that disagree by less than an interval never make a second admission.
TEST(Set, AClockBehindTheOthersGivesNothingAway) {
  explorer<2> all;
  all.run({}, {taker<2>(7, one_each, 1, now), taker<2>(7, one_each, 2, now - 9)}, active_once<2>,
          [](const state<2>&, const results& made) { ASSERT_EQ(admitted(made), 1); });
  EXPECT_EQ(all.given_up(), 0U);
}

}  // namespace
}  // namespace rw::limit
