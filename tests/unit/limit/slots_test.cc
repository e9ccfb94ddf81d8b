#include "limit/slots.h"

#include <gtest/gtest.h>

#include <map>

#include "interleavings.h"

namespace rw::limit {
namespace {

using namespace model;

constexpr std::uint64_t preemptions = 3;

// An outcome is admitted when the key entered; `when` is the entrance.
outcome told(entrance how) {
  return {.admitted = how == entrance::entered, .when = static_cast<std::uint64_t>(how)};
}

template <unsigned Ways>
typename explorer<Ways>::thread enters(std::uint64_t tag, std::uint64_t most, int times = 1) {
  return [=](memory<Ways>& set) {
    std::vector<outcome> made;
    for (int i = 0; i < times; ++i) made.push_back(told(enter(set, tag, most)));
    return made;
  };
}

template <unsigned Ways>
typename explorer<Ways>::thread passes(std::uint64_t tag, std::uint64_t most, int times = 1) {
  return [=](memory<Ways>& set) {
    std::vector<outcome> made;
    for (int i = 0; i < times; ++i) {
      made.push_back(told(enter(set, tag, most)));
      if (made.back().admitted) leave(set, tag);
    }
    return made;
  };
}

// An insertion that chose its cell long ago, whatever has happened in the set since.
template <unsigned Ways>
typename explorer<Ways>::thread latecomer(std::uint64_t tag, unsigned at, std::uint64_t most) {
  return [=](memory<Ways>& set) -> std::vector<outcome> {
    const cell mine{tag, pending_bit | set.stamp()};
    cell expected{};
    if (set.swap(at, expected, mine) && complete(set, at, mine, {tag, 1})) {
      return {told(entrance::entered)};
    }
    return {told(enter(set, tag, most))};
  };
}

// At most one cell for a key, and none counts more than `most`.
template <unsigned Ways>
auto counts_at_most(std::uint64_t most) {
  return [most](const state<Ways>& here) {
    std::map<std::uint64_t, int> active;
    for (const cell& c : here.cells) {
      if (c.tag == 0 || is_pending(c)) continue;
      ASSERT_EQ(++active[c.tag], 1) << "two counts of the key " << c.tag;
      ASSERT_LE(c.when, most);
    }
  };
}

template <unsigned Ways>
std::uint64_t counted(const state<Ways>& end, std::uint64_t tag) {
  std::uint64_t sum = 0;
  for (const cell& c : end.cells) {
    EXPECT_FALSE(is_pending(c));
    if (c.tag == tag) sum += c.when;
  }
  return sum;
}

using results = std::vector<std::vector<outcome>>;

std::uint64_t entered(const results& all) {
  std::uint64_t sum = 0;
  for (const auto& thread : all) {
    for (const outcome& one : thread) sum += one.admitted ? 1 : 0;
  }
  return sum;
}

TEST(Slots, OneAfterTheOther) {
  explorer<2> all;
  const explorer<2>::thread alone = [](memory<2>& set) -> std::vector<outcome> {
    EXPECT_EQ(enter(set, 7, 2), entrance::entered);
    EXPECT_EQ(enter(set, 7, 2), entrance::entered);
    EXPECT_EQ(enter(set, 7, 2), entrance::over);
    EXPECT_EQ(count(set, 7), 2U);
    EXPECT_EQ(enter(set, 8, 2), entrance::entered);
    EXPECT_EQ(enter(set, 9, 2), entrance::full);
    leave(set, 7);
    EXPECT_EQ(enter(set, 7, 2), entrance::entered);
    leave(set, 7);
    leave(set, 7);
    EXPECT_EQ(count(set, 7), 0U);
    EXPECT_EQ(enter(set, 9, 2), entrance::entered);
    leave(set, 8);
    leave(set, 9);
    return {};
  };
  all.run({}, {alone}, counts_at_most<2>(2), [](const state<2>& end, const results&) {
    for (const cell& c : end.cells) ASSERT_EQ(c, cell{});
  });
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Slots, TwoCoresEnterForOneKey) {
  explorer<3> all;
  all.run({}, {enters<3>(7, 1), enters<3>(7, 1)}, counts_at_most<3>(1),
          [](const state<3>& end, const results& made) {
            ASSERT_EQ(entered(made), 1U);
            ASSERT_EQ(counted(end, 7), 1U);
          });
  EXPECT_GT(all.states(), 100U);
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Slots, ThreeCoresEnterForOneKey) {
  explorer<2> all;
  all.run({}, {enters<2>(7, 2), enters<2>(7, 2), enters<2>(7, 2)}, counts_at_most<2>(2),
          [](const state<2>& end, const results& made) {
            ASSERT_EQ(entered(made), 2U);
            ASSERT_EQ(counted(end, 7), 2U);
          });
  EXPECT_GT(all.states(), 1000U);
  EXPECT_EQ(all.given_up(), 0U);
}

// The last to leave takes the cell away while the other core looks for it, or swaps it.
TEST(Slots, LeavingRacesWithEntering) {
  for (const int times : {1, 2}) {
    explorer<2> all;
    all.run(
        {}, {passes<2>(7, 1, times), passes<2>(7, 1, times)}, counts_at_most<2>(1),
        [](const state<2>& end, const results& made) {
          ASSERT_GE(entered(made), 1U);
          ASSERT_EQ(counted(end, 7), 0U);
        },
        times == 1 ? ~std::uint64_t{0} : preemptions);
    EXPECT_GT(all.states(), 100U);
    EXPECT_EQ(all.given_up(), 0U);
  }
}

TEST(Slots, ThreeCoresPassWithOnePlace) {
  explorer<2> all;
  all.run(
      {}, {passes<2>(7, 1), passes<2>(7, 1), enters<2>(7, 1)}, counts_at_most<2>(1),
      [](const state<2>& end, const results& made) {
        ASSERT_EQ(counted(end, 7), made[2][0].admitted ? 1U : 0U);
      },
      preemptions);
  EXPECT_GT(all.states(), 1000U);
  EXPECT_EQ(all.given_up(), 0U);
}

TEST(Slots, InsertionsOfOneKeyChoseDifferentCells) {
  explorer<3> all;
  all.run({}, {latecomer<3>(7, 0, 2), latecomer<3>(7, 2, 2)}, counts_at_most<3>(2),
          [](const state<3>& end, const results& made) {
            ASSERT_EQ(entered(made), 2U);
            ASSERT_EQ(counted(end, 7), 2U);
          });
  EXPECT_GT(all.states(), 100U);
  EXPECT_EQ(all.given_up(), 0U);
}

// A leaver meets another core's insertion of its own key before it finds its count.
TEST(Slots, AnInsertionStandsBeforeTheCount) {
  for (const unsigned at : {0U, 2U}) {
    explorer<3> all;
    const std::array<cell, 3> one_inside = {cell{}, cell{7, 1}, cell{}};
    const explorer<3>::thread leaver = [](memory<3>& set) -> std::vector<outcome> {
      leave(set, 7);
      return {};
    };
    all.run(one_inside, {latecomer<3>(7, at, 1), leaver}, counts_at_most<3>(1),
            [](const state<3>& end, const results& made) {
              ASSERT_EQ(counted(end, 7), entered(made));
            });
    EXPECT_EQ(all.given_up(), 0U);
  }
}

// More keys than cells: who finds no place is told so, and no count of another key is touched.
TEST(Slots, MoreKeysThanCells) {
  explorer<2> all;
  all.run(
      {}, {passes<2>(7, 1), enters<2>(8, 1), enters<2>(9, 1)}, counts_at_most<2>(1),
      [](const state<2>& end, const results& made) {
        ASSERT_EQ(counted(end, 7), 0U);
        ASSERT_EQ(counted(end, 8), made[1][0].admitted ? 1U : 0U);
        ASSERT_EQ(counted(end, 9), made[2][0].admitted ? 1U : 0U);
        for (const auto& thread : made) {
          ASSERT_NE(thread[0].when, static_cast<std::uint64_t>(entrance::over));
        }
      },
      preemptions);
  EXPECT_GT(all.states(), 1000U);
  EXPECT_EQ(all.given_up(), 0U);
}

}  // namespace
}  // namespace rw::limit
