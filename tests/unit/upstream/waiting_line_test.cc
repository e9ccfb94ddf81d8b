#include "upstream/waiting_line.h"

#include "../net/stream_world.h"

namespace rw::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using place = waiting_line::outcome;

class WaitingLine : public net::test::StreamTest {
 protected:
  WaitingLine() {
    rules_.max_requests_in_flight = 1;
    rules_.queue = 3;
    rules_.queue_timeout = seconds{5};
    mine_.emplace(*loop_, group_, rules_);
    other_.emplace(*loop_, group_, rules_);
    client_ = &make(sockets_.ours.release());
  }
  void TearDown() override {
    mine_.reset();
    other_.reset();
    EXPECT_EQ(group_.waiting.load(), 0U);
    sockets_.theirs.reset();
    StreamTest::TearDown();
  }

  static io::task<place> queue_up(waiting_line& in, const net::stream& client) {
    const place got = co_await in.wait(client);
    co_return got;
  }
  void wait(waiting_line& in, net::test::outcome<place>& out, const net::stream& client) {
    start(queue_up(in, client), out);
  }
  void wait(net::test::outcome<place>& out) { wait(*mine_, out, *client_); }

  group group_;
  config::upstream rules_;
  std::optional<waiting_line> mine_;
  std::optional<waiting_line> other_;  // of another worker
  io::test::pair sockets_;
  net::stream* client_ = nullptr;
};

TEST_F(WaitingLine, APlaceGivenBackIsTheFirstOnesInTheLine) {
  ASSERT_TRUE(mine_->take_at_once());
  EXPECT_FALSE(mine_->take_at_once());
  net::test::outcome<place> first;
  net::test::outcome<place> second;
  wait(first);
  wait(second);
  EXPECT_EQ(mine_->length(), 2U);
  mine_->give_back();
  ASSERT_TRUE(until([&] { return first.done(); }));
  EXPECT_EQ(*first.value, place::taken);
  idle(milliseconds{20});
  EXPECT_FALSE(second.done());
  EXPECT_EQ(group_.under_way.load(), 1U);
  mine_->give_back();
  ASSERT_TRUE(until([&] { return second.done(); }));
  mine_->give_back();
  EXPECT_EQ(group_.under_way.load(), 0U);
}

TEST_F(WaitingLine, WhatAnotherWorkerGivesBackIsFoundSoon) {
  ASSERT_TRUE(other_->take_at_once());
  net::test::outcome<place> got;
  wait(got);
  other_->give_back();
  const mono_time then = loop_->kernel().now();
  ASSERT_TRUE(until([&] { return got.done(); }));
  EXPECT_EQ(*got.value, place::taken);
  EXPECT_LT(loop_->kernel().now() - then, milliseconds{500});
  mine_->give_back();
}

TEST_F(WaitingLine, NobodyGoesPastThoseWhoWait) {
  ASSERT_TRUE(mine_->take_at_once());
  net::test::outcome<place> got;
  wait(got);
  group_.under_way = 0;  // a place is free, and not found yet
  EXPECT_FALSE(mine_->take_at_once());
  EXPECT_FALSE(other_->take_at_once());
  ASSERT_TRUE(until([&] { return got.done(); }));
  mine_->give_back();
}

TEST_F(WaitingLine, NobodyWaitsPastTheTime) {
  rules_.queue_timeout = milliseconds{50};
  ASSERT_TRUE(mine_->take_at_once());
  net::test::outcome<place> got;
  const mono_time began = loop_->now();
  wait(got);
  ASSERT_TRUE(until([&] { return got.done(); }));
  EXPECT_EQ(*got.value, place::timed_out);
  EXPECT_GE(loop_->now() - began, milliseconds{50});
  mine_->give_back();
}

TEST_F(WaitingLine, TheLineIsBoundedOverAllWorkers) {
  ASSERT_TRUE(mine_->take_at_once());
  std::list<net::test::outcome<place>> waiting(3);
  for (auto& one : waiting) wait(&one == &waiting.front() ? *mine_ : *other_, one, *client_);
  net::test::outcome<place> late;
  wait(late);
  ASSERT_TRUE(late.done());
  EXPECT_EQ(*late.value, place::full);
  for (auto& one : waiting) {
    mine_->give_back();
    ASSERT_TRUE(until([&] { return one.done(); }));
  }
  mine_->give_back();
  EXPECT_EQ(group_.under_way.load(), 0U);
}

TEST_F(WaitingLine, AClientThatGoesAwayLeavesTheLine) {
  ASSERT_TRUE(mine_->take_at_once());
  ASSERT_TRUE(client_->rest());
  net::test::outcome<place> got;
  wait(got);
  idle(milliseconds{20});
  EXPECT_FALSE(got.done());
  sockets_.theirs.reset();
  ASSERT_TRUE(until([&] { return got.done(); }));
  EXPECT_EQ(*got.value, place::gone);
  mine_->give_back();
}

TEST_F(WaitingLine, WithoutALineThereIsOneComparison) {
  rules_.queue = 0;
  ASSERT_TRUE(mine_->take_at_once());
  EXPECT_FALSE(other_->take_at_once());
  EXPECT_EQ(group_.under_way.load(), 1U);
  mine_->give_back();
  EXPECT_TRUE(other_->take_at_once());
  other_->give_back();
}

}  // namespace
}  // namespace rw::upstream
