#include "io/buffer_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <set>
#include <vector>

#include "io/ring.h"
#include "sockets.h"

namespace rw::io {
namespace {

using namespace test;
using std::chrono::milliseconds;

class Pool : public testing::Test {
 protected:
  void turn() {
    pool_.replenish();
    ring_->wait(ring_->now() + milliseconds{2});
    ring_->dispatch();
  }
  std::unique_ptr<ring> ring_ = std::move(*ring::create(32));
  buffer_pool pool_{*ring_, 1};  // the smallest there is
};

// What a connection does: claims what comes, and waits for a buffer when it found none.
struct receiver : operation {
  receiver(ring& k, buffer_pool& p, int socket)
      : operation(&on_complete), kernel(k), pool(p), fd(socket) {
    start();
  }
  struct starving : buffer_waiter {
    explicit starving(receiver& r)
        : buffer_waiter([](buffer_waiter& w) { static_cast<starving&>(w).owner.start(); }),
          owner(r) {}
    receiver& owner;
  };
  static void on_complete(operation& op, completion what) {
    auto& self = static_cast<receiver&>(op);
    if (what.buffer >= 0) {
      buffer got = self.pool.claim(what.buffer, static_cast<std::size_t>(std::max(what.result, 0)));
      if (what.result > 0) {
        self.text.append(got.text(), static_cast<std::size_t>(what.result));
        if (self.keep) self.held.push_back(std::move(got));
      }
    }
    if (what.result == -ENOBUFS) ++self.starved;
    if (what.result == 0) self.ended = true;
    if (!what.more && !self.ended && what.result != -ECANCELED) self.start();
  }
  void start() {
    if (pool.may_receive()) {
      kernel.receive(*this, fd);
    } else {
      pool.wait(waiter);
    }
  }
  ring& kernel;
  buffer_pool& pool;
  int fd;
  bool keep = false;
  bool ended = false;
  unsigned starved = 0;
  std::string text;
  std::vector<buffer> held;
  starving waiter{*this};
};

TEST_F(Pool, HasAtLeastSixteenAndGivesFromTheHeapWhenItHasNone) {
  EXPECT_EQ(pool_.size(), 16U);
  std::vector<buffer> all;
  std::set<std::byte*> different;
  for (int i = 0; i < 40; ++i) {
    all.push_back(pool_.take());
    std::memset(all.back().data(), i, buffer::capacity());
    different.insert(all.back().data());
  }
  EXPECT_EQ(different.size(), 40U);
  EXPECT_EQ(pool_.in_use(), 40U);
  EXPECT_GE(pool_.from_heap(), 24U);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].text()[9'999], i);
  all.clear();
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(Pool, ABufferMovesAndComesBackOnce) {
  buffer one = pool_.take();
  std::byte* const data = one.data();
  buffer two(std::move(one));
  EXPECT_FALSE(one);
  EXPECT_EQ(two.data(), data);
  buffer three;
  three = std::move(two);
  EXPECT_EQ(pool_.in_use(), 1U);
  three.reset();
  three.reset();
  EXPECT_EQ(pool_.in_use(), 0U);
  EXPECT_EQ(pool_.take().data(), data) << "the warm one first";
}

TEST_F(Pool, TakingAllDoesNotStarveReceives) {
  std::vector<buffer> heads;
  for (int i = 0; i < 100; ++i) heads.push_back(pool_.take());
  const pair both;
  receiver one(*ring_, pool_, both.ours);
  put(both.theirs, "still heard");
  for (int i = 0; i < 50 && one.text.empty(); ++i) turn();
  EXPECT_EQ(one.text, "still heard");
  ring_->cancel(one);
  for (int i = 0; i < 50 && one.in_flight(); ++i) turn();
}

// Receivers that keep all they get: what they hold is on the heap before it is the whole pool, so
// that everybody's bytes still arrive. Those that found no buffer in a turn wait for the next.
TEST_F(Pool, WhatIsHeldIsNeverAllThatReceivesCouldUse) {
  constexpr std::size_t count = 12;
  const std::string sent = pattern(100'000);
  std::vector<pair> sockets(count);
  std::deque<receiver> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.emplace_back(*ring_, pool_, static_cast<int>(sockets[i].ours)).keep = true;
    ASSERT_EQ(put(sockets[i].theirs, sent), sent.size());
    sockets[i].theirs.reset();
  }
  const auto finished = [&] {
    std::size_t ended = 0;
    for (const receiver& one : all) ended += one.ended;
    return ended == count;
  };
  for (int i = 0; i < 10'000 && !finished(); ++i) turn();
  EXPECT_TRUE(finished());
  unsigned starved = 0;
  for (const receiver& one : all) {
    EXPECT_TRUE(one.text == sent);
    std::string held;
    for (const buffer& each : one.held) held.append(each.text(), buffer::capacity());
    EXPECT_TRUE(held.starts_with(sent.substr(0, 1000)));
    starved += one.starved;
  }
  EXPECT_GT(starved, 0U);
  EXPECT_GT(pool_.from_heap(), count);
  EXPECT_GT(pool_.in_use(), pool_.size());
  for (receiver& one : all) one.held.clear();
  EXPECT_EQ(pool_.in_use(), 0U);
  EXPECT_EQ(ring_->in_flight(), 0U);
}

TEST_F(Pool, AWaiterThatGoesLeavesTheLine) {
  std::vector<int> woken;
  struct waiter : buffer_waiter {
    waiter(std::vector<int>& l, int n)
        : buffer_waiter([](buffer_waiter& w) {
            auto& self = static_cast<waiter&>(w);
            self.log.push_back(self.id);
          }),
          log(l),
          id(n) {}
    std::vector<int>& log;
    int id;
  };
  std::deque<waiter> all;
  for (int i = 0; i < 4; ++i) pool_.wait(all.emplace_back(woken, i));
  all[1].leave();
  all[1].leave();
  all.pop_back();
  EXPECT_TRUE(all[0].waiting());
  pool_.replenish();
  EXPECT_EQ(woken, (std::vector<int>{0, 2}));
  EXPECT_FALSE(all[0].waiting());
  pool_.wait(all[0]);
  pool_.replenish();
  EXPECT_EQ(woken, (std::vector<int>{0, 2, 0}));
}

}  // namespace
}  // namespace rw::io
