// What a gateway borrows ahead: spent once each, never more than a slice, and gone with its time.
#include "limit/lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "interleavings.h"
#include "limit/table.h"

namespace rw::limit {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr key alice{42};

TEST(Lease, TheFirstRequestAsksForItself) {
  table leases(1024, 1);
  const spending first = leases.spend(alice, second, 100);
  EXPECT_FALSE(first.spent);
  EXPECT_EQ(first.ask_for, 1U);
  const spending second_one = leases.spend(alice, second, 100);
  EXPECT_FALSE(second_one.spent);
  EXPECT_EQ(second_one.ask_for, 0U) << "one question of the key's own at a time";
}

TEST(Lease, EachCreditIsSpentOnce) {
  table leases(1024, 1);
  leases.spend(alice, second, 100);
  leases.deposit(alice, second, 3, 100, deposit_of::all);
  EXPECT_EQ(leases.held(alice, second), 3U);
  int spent = 0;
  for (int i = 0; i < 10; ++i) spent += leases.spend(alice, second, 100).spent ? 1 : 0;
  EXPECT_EQ(spent, 3);
  EXPECT_EQ(leases.held(alice, second), 0U);
}

TEST(Lease, AKeyThatIsBusyBorrowsMoreEachTimeUpToTheSlice) {
  table leases(1024, 1);
  std::vector<std::uint64_t> asked;
  for (int i = 0; i < 2000 && asked.size() < 12; ++i) {
    const spending done = leases.spend(alice, second + static_cast<std::uint64_t>(i), 50);
    if (done.ask_for == 0) continue;
    asked.push_back(done.ask_for);
    leases.deposit(alice, second, done.ask_for - (done.spent ? 0 : 1), 50, deposit_of::all);
    EXPECT_LE(leases.held(alice, second), 50U);
  }
  ASSERT_EQ(asked.size(), 12U);
  EXPECT_EQ(asked.front(), 1U);
  EXPECT_GE(asked.back(), 25U);
  EXPECT_LE(*std::ranges::max_element(asked), 50U);
}

TEST(Lease, WhatIsNotSpentInTimeIsGoneAndTheNextSliceSmaller) {
  table leases(1024, 1);
  std::uint64_t now = second;
  std::uint64_t last = 0;
  for (int i = 0; i < 500; ++i) {
    const spending done = leases.spend(alice, now, 1000);
    if (done.ask_for == 0) continue;
    last = done.ask_for;
    leases.deposit(alice, now, done.ask_for, 1000, deposit_of::all);
  }
  EXPECT_GT(leases.held(alice, now), 0U);
  now += lease_ns + second / 10;
  EXPECT_EQ(leases.held(alice, now), 0U);
  const spending late = leases.spend(alice, now, 1000);
  EXPECT_FALSE(late.spent);
  EXPECT_LT(late.ask_for, 2 * last);
  EXPECT_GT(late.ask_for, 0U);
}

TEST(Lease, AnAnswerThatNeverCameIsAskedForAgain) {
  table leases(1024, 1);
  EXPECT_EQ(leases.spend(alice, second, 100).ask_for, 1U);
  EXPECT_EQ(leases.spend(alice, second + lease_ns / 2, 100).ask_for, 0U);
  EXPECT_EQ(leases.spend(alice, second + lease_ns + second / 10, 100).ask_for, 1U);
}

TEST(Lease, ACreditComesBackToALeaseAlone) {
  table leases(1024, 1);
  leases.deposit(alice, second, 1, 100, deposit_of::one_back);
  EXPECT_EQ(leases.held(alice, second), 0U) << "nothing was lent";
  leases.spend(alice, second, 100);
  leases.deposit(alice, second, 5, 100, deposit_of::all);
  ASSERT_TRUE(leases.spend(alice, second, 100).spent);
  leases.deposit(alice, second, 1, 100, deposit_of::one_back);
  EXPECT_EQ(leases.held(alice, second), 5U);
  leases.deposit(alice, second, 500, 100, deposit_of::all);
  EXPECT_EQ(leases.held(alice, second), 100U) << "never more than the slice";
}

TEST(Lease, WhatIsGrantedInPartMakesTheSliceNoLarger) {
  table leases(1024, 1);
  for (int i = 0; i < 500; ++i) {
    const spending done = leases.spend(alice, second, 1000);
    if (done.ask_for > 0) leases.deposit(alice, second, done.ask_for, 1000, deposit_of::all);
  }
  // Nothing is granted any more: what is held is spent with a question each time half is gone.
  unsigned questions = 0;
  for (int i = 0; i < 2000 && leases.held(alice, second) > 0; ++i) {
    const spending done = leases.spend(alice, second, 1000);
    if (done.ask_for == 0) continue;
    ++questions;
    leases.deposit(alice, second, 0, 1000, deposit_of::a_part);
  }
  EXPECT_LE(questions, 20U);
  EXPECT_EQ(leases.spend(alice, second, 1000).ask_for, 2U);
}

// Any interleaving of those that spend, the one that deposits, and another key that wants a cell.
TEST(Lease, InAnyInterleavingNoCreditIsMadeUp) {
  using namespace model;
  static constexpr std::uint64_t most = 4;
  const auto spends = [](memory<2>& set) {
    std::vector<outcome> made;
    for (int i = 0; i < 2; ++i) {
      const spending done = spend(set, 7, second, most);
      made.push_back({.admitted = done.spent, .when = done.ask_for});
      if (done.ask_for > 0) {
        const std::uint64_t left = done.ask_for - (done.spent ? 0 : 1);
        deposit(set, 7, second, left, most, deposit_of::all);
      }
    }
    return made;
  };
  const auto other = [](memory<2>& set) {
    const spending done = spend(set, 9, second, most);
    return std::vector<outcome>{{.admitted = done.spent, .when = done.ask_for}};
  };
  const auto holds = [](const state<2>& here) {
    std::map<std::uint64_t, int> active;
    for (const cell& c : here.cells) {
      if (c.tag == 0 || is_pending(c)) continue;
      EXPECT_EQ(++active[c.tag], 1);
      EXPECT_LE(detail::lease::from(c.when).credits, most);
    }
  };
  const auto last = [](const state<2>&, const std::vector<std::vector<outcome>>& made) {
    std::uint64_t lent = 0;
    std::uint64_t spent = 0;
    for (const outcome& one : made[0]) {
      spent += one.admitted ? 1 : 0;
      if (one.when > 0) lent += one.when - (one.admitted ? 0 : 1);
    }
    for (const outcome& one : made[1]) {
      spent += one.admitted ? 1 : 0;
      if (one.when > 0) lent += one.when - (one.admitted ? 0 : 1);
    }
    EXPECT_LE(spent, lent);
  };
  explorer<2> all;
  all.run({}, {spends, spends, other}, holds, last, 2);
  EXPECT_GT(all.states(), 1000U);
}

TEST(Lease, ThreadsSpendWhatWasLentAndNoMore) {
  table leases(1024, 4);
  constexpr std::uint64_t most = 64;
  std::atomic<std::uint64_t> lent = 0;
  std::atomic<std::uint64_t> admitted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 20'000; ++i) {
        const std::uint64_t now = second + i * 1000;
        const spending done = leases.spend(alice, now, most);
        if (done.spent) ++admitted;
        if (done.ask_for == 0) continue;
        lent += done.ask_for;
        if (!done.spent) ++admitted;
        leases.deposit(alice, now, done.ask_for - (done.spent ? 0 : 1), most, deposit_of::all);
      }
    });
  }
  for (std::thread& one : threads) one.join();
  EXPECT_LE(admitted, lent);
  EXPECT_LE(lent, admitted + most);
}

}  // namespace
}  // namespace rw::limit
