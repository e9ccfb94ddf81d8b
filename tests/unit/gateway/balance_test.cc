#include "gateway/balance.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <vector>

#include "gateway/worker.h"
#include "io/ring.h"

namespace rw::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void set(worker_loads& all, std::initializer_list<std::uint32_t> counts) {
  std::size_t i = 0;
  for (const std::uint32_t n : counts) {
    all[i].clients = n;
    all[i++].takes = true;
  }
}

TEST(Balance, TheFirstConnectionStaysWhereItCame) {
  worker_loads all(4);
  set(all, {0, 0, 1, 0});
  EXPECT_EQ(who_serves(all, 2), 2U);
}

TEST(Balance, TheSecondGoesToSomebodyElse) {
  worker_loads all(4);
  set(all, {2, 1, 0, 1});
  EXPECT_EQ(who_serves(all, 0), 2U);
}

TEST(Balance, OfEqualsTheNextIsChosen) {
  worker_loads all(4);
  set(all, {0, 0, 2, 0});
  EXPECT_EQ(who_serves(all, 2), 3U);
  set(all, {0, 0, 0, 2});
  EXPECT_EQ(who_serves(all, 3), 0U);
}

TEST(Balance, AmongManyALittleMoreIsKept) {
  worker_loads all(2);
  set(all, {257, 240});  // 1 + 240 / 16 more
  EXPECT_EQ(who_serves(all, 0), 1U);
  set(all, {256, 240});
  EXPECT_EQ(who_serves(all, 0), 0U);
}

TEST(Balance, WhoseClientHasWaitedLongestMakesRoom) {
  worker_loads all(3);
  set(all, {1, 1, 1});
  for (worker_load& one : all) {
    one.waits_since = std::make_unique<std::atomic<std::int64_t>[]>(2);
    one.waits_since[0] = 1;  // of another listener
    one.waits_since[1] = nobody_waits;
  }
  EXPECT_EQ(who_makes_room(all, 1, 1), 1U);
  all[2].waits_since[1] = 500;
  EXPECT_EQ(who_makes_room(all, 1, 1), 2U);
  all[1].waits_since[1] = 500;
  EXPECT_EQ(who_makes_room(all, 1, 1), 1U);
  all[0].waits_since[1] = 499;
  EXPECT_EQ(who_makes_room(all, 1, 1), 0U);
  all[0].takes = false;
  EXPECT_EQ(who_makes_room(all, 1, 1), 1U);
}

TEST(Balance, WhoHasLeastKeepsWhatItAccepts) {
  worker_loads all(3);
  set(all, {1000, 3, 1000});
  EXPECT_EQ(who_serves(all, 1), 1U);
}

TEST(Balance, NothingGoesToOneThatTakesNothing) {
  worker_loads all(3);
  set(all, {50, 0, 20});
  all[1].takes = false;
  EXPECT_EQ(who_serves(all, 0), 2U);
  all[2].takes = false;
  EXPECT_EQ(who_serves(all, 0), 0U);
}

TEST(Balance, ASaturatedWorkerHandsOnAndIsSpared) {
  worker_loads all(3);
  set(all, {5, 42, 40});
  all[0].saturated = true;
  EXPECT_EQ(who_serves(all, 0), 2U);
  EXPECT_EQ(who_serves(all, 1), 1U);
  EXPECT_EQ(who_serves(all, 2), 2U);
  all[1].saturated = all[2].saturated = true;  // all of them: counts again
  EXPECT_EQ(who_serves(all, 2), 0U);
  EXPECT_EQ(who_serves(all, 0), 0U);
}

// The kernel's hash at its worst: all to one; and as it mostly is.
TEST(Balance, AThousandSpreadWithinATenthOfTheMean) {
  for (const std::size_t workers : {2U, 4U, 16U}) {
    for (const bool lumpy : {true, false}) {
      worker_loads all(workers);
      for (worker_load& one : all) one.takes = true;
      std::minstd_rand random(7);
      std::vector<std::size_t> served_by;
      const auto accept = [&] {
        const std::size_t at = lumpy ? 0 : random() % workers;
        ++all[at].clients;
        const std::size_t by = who_serves(all, at);
        --all[at].clients;
        ++all[by].clients;
        served_by.push_back(by);
      };
      const auto expect_even = [&] {
        const double mean = 1000.0 / static_cast<double>(workers);
        for (const worker_load& one : all) EXPECT_NEAR(one.clients, mean, mean / 10) << workers;
      };
      for (int i = 0; i < 1000; ++i) accept();
      expect_even();
      std::shuffle(served_by.begin(), served_by.end(), random);
      for (int i = 0; i < 500; ++i) {
        --all[served_by.back()].clients;
        served_by.pop_back();
      }
      for (int i = 0; i < 500; ++i) accept();
      expect_even();
    }
  }
}

TEST(Balance, SaturatedIsWhoHardlyWaited) {
  saturation one;
  mono_time now{seconds{100}};
  EXPECT_FALSE(one.since_last(now, seconds{99}));  // nothing to compare it with
  EXPECT_TRUE(one.since_last(now += seconds{1}, seconds{99} + milliseconds{900}));
  EXPECT_FALSE(one.since_last(now += seconds{1}, seconds{99} + milliseconds{1'790}));
  EXPECT_TRUE(one.since_last(now += seconds{2}, seconds{99} + milliseconds{3'600}));
}

TEST(Balance, WhatIsNeverTakenIsClosedAndGivesItsPlaceBack) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  const auto at_listener = std::make_shared<std::atomic<std::uint32_t>>(3);
  const auto in_process = std::make_shared<connection_bound>();
  const auto loads = std::make_shared<worker_loads>(2);
  in_process->open = 7;
  (*loads)[0].clients = 4;
  (*loads)[1].clients = 5;
  {
    io::loop to(std::move(*io::ring::create(16)), 1);
    const auto from = std::move(*io::ring::create(16));
    to.post(*from, new handed_over(to, fds[0], 0, {at_listener, in_process, loads, 1}));
    from->wait(from->now());
    EXPECT_EQ((*loads)[1].clients, 5U);
  }
  char byte = 0;
  EXPECT_EQ(::recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
  ::close(fds[1]);
  EXPECT_EQ(*at_listener, 2U);
  EXPECT_EQ(in_process->open, 6U);
  EXPECT_EQ((*loads)[0].clients, 4U);
  EXPECT_EQ((*loads)[1].clients, 4U);
}

}  // namespace
}  // namespace rw::gateway
