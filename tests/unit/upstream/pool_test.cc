#include "upstream/pool.h"

#include <cstring>

#include "../net/stream_world.h"

namespace rw::upstream {
namespace {

using io::test::descriptor;
using io::test::open_descriptors;
using net::test::outcome;
using std::chrono::seconds;

class Pool : public net::test::StreamTest {
 protected:
  Pool() {
    rules_.name = "origin";
    server_.name = "first";
    std::memcpy(&server_.address, at_.raw(), sizeof at_.address);
    server_.address_bytes = sizeof at_.address;
  }

  void TearDown() override {
    outcome<bool> closed;
    start(close_all(*pools_), closed);
    EXPECT_TRUE(until([&] { return closed.done(); }));
    pools_.reset();
    peers_.clear();
    at_.fd.reset();
    StreamTest::TearDown();
  }

  static io::task<bool> close_all(pools& all) {
    co_await all.close_all();
    co_return true;
  }

  server_pool& pool() { return *pools_->at(rules_, server_, health_, 0); }

  // A connection to the listener; its other end is the last of peers_.
  connection_ptr open(server_pool& in) {
    auto made = std::make_unique<connection>(*loop_, in);
    outcome<result<>> opened;
    start(made->stream.open(server_.address, server_.address_bytes, loop_->now() + seconds{5}),
          opened);
    EXPECT_TRUE(until([&] { return opened.done(); }));
    EXPECT_TRUE(*opened.value);
    peers_.emplace_back(::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_GE(peers_.back(), 0);
    return made;
  }
  connection* keep_one(server_pool& in) {
    connection_ptr made = open(in);
    connection* const kept = made.get();
    in.give_back(std::move(made), loop_->now());
    return kept;
  }
  // The other end has seen the connection close.
  bool is_closed(int peer) {
    char byte = 0;
    return ::recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
  }
  void give_back(connection_ptr one, mono_time now) { one->pool.give_back(std::move(one), now); }
  testing::AssertionResult swept_away(int peer) {
    pools_->sweep();
    return until([&] { return is_closed(peer); });
  }

  io::test::listener at_;
  std::vector<descriptor> peers_;
  config::upstream rules_;
  server server_;
  std::shared_ptr<server_health> health_ = std::make_shared<server_health>(1);
  http::window_pool windows_{0};
  std::optional<pools> pools_{std::in_place, *loop_, windows_};
};

TEST_F(Pool, TheLastOneGivenBackIsTheFirstTaken) {
  server_pool& in = pool();
  EXPECT_EQ(in.take_idle(), nullptr);
  connection_ptr one = open(in);
  connection_ptr two = open(in);
  connection_ptr three = open(in);
  connection* const order[] = {two.get(), one.get(), three.get()};
  in.give_back(std::move(three), loop_->now());
  in.give_back(std::move(one), loop_->now());
  in.give_back(std::move(two), loop_->now());
  EXPECT_EQ(in.idle(), 3U);
  std::vector<connection_ptr> taken;
  for (connection* expected : order) {
    taken.push_back(in.take_idle());
    EXPECT_EQ(taken.back().get(), expected);
  }
  EXPECT_EQ(in.take_idle(), nullptr);
  for (connection_ptr& each : taken) in.give_back(std::move(each), loop_->now());
}

TEST_F(Pool, OneThatItsServerClosedIsNotTaken) {
  server_pool& in = pool();
  connection* const alive = keep_one(in);
  connection* const dead = keep_one(in);
  peers_.back().reset();
  ASSERT_TRUE(until([&] { return !dead->stream.quiet(); }));
  connection_ptr taken = in.take_idle();
  EXPECT_EQ(taken.get(), alive);
  EXPECT_EQ(in.idle(), 0U);
  const int before = open_descriptors();
  pools_->sweep();
  EXPECT_TRUE(until([&] { return open_descriptors() == before - 1; }));
  in.give_back(std::move(taken), loop_->now());
}

// The bytes would be read as the answer to the next request.
TEST_F(Pool, OneThatSpeaksUnaskedIsNeverUsedAgain) {
  server_pool& in = pool();
  connection* const loud = keep_one(in);
  io::test::put(peers_.back(), "HTTP/1.1 408 Request Timeout\r\n\r\n");
  ASSERT_TRUE(until([&] { return !loud->stream.quiet(); }));
  EXPECT_EQ(in.take_idle(), nullptr);
  EXPECT_TRUE(swept_away(peers_.back()));
}

TEST_F(Pool, ASweepClosesTheLoudAndTheClosedWithoutBeingAskedForThem) {
  server_pool& in = pool();
  connection* const quiet = keep_one(in);
  connection* const loud = keep_one(in);
  io::test::put(peers_[1], "x");
  ASSERT_TRUE(until([&] { return !loud->stream.quiet(); }));
  EXPECT_TRUE(swept_away(peers_[1]));
  EXPECT_EQ(in.idle(), 1U);
  EXPECT_FALSE(is_closed(peers_[0]));
  connection_ptr taken = in.take_idle();
  EXPECT_EQ(taken.get(), quiet);
  in.give_back(std::move(taken), loop_->now());
}

TEST_F(Pool, OneThatComesBackWithBytesUnreadIsNotKept) {
  server_pool& in = pool();
  connection_ptr one = open(in);
  io::test::put(peers_.back(), "x");
  ASSERT_TRUE(until([&] { return !one->stream.quiet(); }));
  in.give_back(std::move(one), loop_->now());
  EXPECT_EQ(in.idle(), 0U);
  EXPECT_TRUE(swept_away(peers_.back()));
}

TEST_F(Pool, OneIsWornAfterSoManyRequests) {
  rules_.requests_per_connection = 3;
  server_pool& in = pool();
  connection_ptr one = open(in);
  one->requests = 2;
  in.give_back(std::move(one), loop_->now());
  one = in.take_idle();
  ASSERT_NE(one, nullptr);
  one->requests = 3;
  in.give_back(std::move(one), loop_->now());
  EXPECT_EQ(in.idle(), 0U);
  EXPECT_TRUE(swept_away(peers_.back()));
}

TEST_F(Pool, WithoutABoundNoNumberOfRequestsWearsOneOut) {
  server_pool& in = pool();
  connection_ptr one = open(in);
  one->requests = UINT64_MAX;
  in.give_back(std::move(one), loop_->now());
  EXPECT_EQ(in.idle(), 1U);
}

TEST_F(Pool, NoMoreAreIdleThanTheConfigurationLets) {
  rules_.idle_per_worker = 2;
  server_pool& in = pool();
  connection_ptr three[] = {open(in), open(in), open(in)};
  for (connection_ptr& one : three) in.give_back(std::move(one), loop_->now());
  EXPECT_EQ(in.idle(), 2U);
  EXPECT_TRUE(swept_away(peers_[2]));
  EXPECT_FALSE(is_closed(peers_[0]));
  EXPECT_FALSE(is_closed(peers_[1]));
}

TEST_F(Pool, ASweepClosesWhatHasBeenIdleForTooLong) {
  rules_.idle_timeout = seconds{60};
  server_pool& in = pool();
  connection_ptr old = open(in);
  connection_ptr young = open(in);
  give_back(std::move(old), loop_->now() - seconds{60});
  give_back(std::move(young), loop_->now() - seconds{30});
  EXPECT_TRUE(swept_away(peers_[0]));
  EXPECT_EQ(in.idle(), 1U);
  EXPECT_FALSE(is_closed(peers_[1]));
}

// By the time it comes back they may be dead, and nobody would have said so.
TEST_F(Pool, AServerThatIsTakenOutLosesItsIdleConnections) {
  server_pool& in = pool();
  keep_one(in);
  const cluster all(std::make_shared<group>(), {health_}, rules_.health);
  all.set_drained(0, true, loop_->now());
  EXPECT_TRUE(swept_away(peers_.back()));
  EXPECT_EQ(in.idle(), 0U);
}

TEST_F(Pool, WhatIsUnderWayAndIdleIsCountedForAll) {
  server_pool& in = pool();
  in.enter();
  in.enter();
  EXPECT_EQ(health_->counts(0).under_way.get(), 2U);
  in.leave();
  EXPECT_EQ(health_->counts(0).under_way.get(), 1U);
  EXPECT_EQ(health_->counts(0).requests.get(), 2U);
  keep_one(in);
  pools_->sweep();
  EXPECT_EQ(health_->counts(0).idle.get(), 1U);
  // Known anew after it was away for one configuration.
  health_ = std::make_shared<server_health>(1);
  EXPECT_EQ(&pool(), &in);
  EXPECT_EQ(health_->counts(0).under_way.get(), 1U);
  in.leave();
}

TEST_F(Pool, AServerHasOnePoolPerUpstream) {
  server_pool& in = pool();
  EXPECT_EQ(&pool(), &in);
  config::upstream other = rules_;
  other.name = "other";
  EXPECT_NE(pools_->at(other, server_, health_, 0).get(), &in);
}

// A connection to one of them is no connection to the other.
TEST_F(Pool, TwoAddressesOfANameHaveTwoPools) {
  server_.name = "localhost:5001 (127.0.0.1)";
  server_pool& v4 = pool();
  server_.name = "localhost:5001 (::1)";
  EXPECT_NE(&pool(), &v4);
}

TEST_F(Pool, TheRulesAreThoseOfThePresentConfiguration) {
  server_pool& in = pool();
  keep_one(in);
  rules_.idle_timeout = seconds{0};
  pools_->forget_all();
  pool();
  EXPECT_TRUE(swept_away(peers_.back()));
}

TEST_F(Pool, WhatAReloadKeepsKeepsItsConnections) {
  server_pool& in = pool();
  connection* const warm = keep_one(in);
  pools_->forget_all();
  EXPECT_EQ(&pool(), &in);
  pools_->sweep();
  connection_ptr taken = in.take_idle();
  EXPECT_EQ(taken.get(), warm);
  in.give_back(std::move(taken), loop_->now());
}

TEST_F(Pool, AServerThatIsGoneLosesItsIdleConnections) {
  keep_one(pool());
  pools_->forget_all();
  EXPECT_TRUE(swept_away(peers_.back()));
}

// The request began under the configuration before: it is answered, and its connection then closed.
TEST_F(Pool, AServerThatIsGoneStaysWhileARequestIsUnderWayThere) {
  server_pool& in = pool();
  connection_ptr used = open(in);
  in.enter();
  pools_->forget_all();
  pools_->sweep();
  EXPECT_EQ(in.in_flight, 1U);  // still there: AddressSanitizer would know better
  in.leave();
  in.give_back(std::move(used), loop_->now());
  EXPECT_EQ(in.idle(), 0U);
  EXPECT_TRUE(swept_away(peers_.back()));
}

// An older configuration, with a stream of hours under way, may still send requests there.
TEST_F(Pool, AServerThatIsGoneStaysWhileSomebodyHoldsIt) {
  std::shared_ptr<server_pool> held = pools_->at(rules_, server_, health_, 0);
  pools_->forget_all();
  pools_->sweep();
  EXPECT_EQ(pools_->size(), 1U);
  EXPECT_EQ(&pool(), held.get());
  pools_->forget_all();
  held = nullptr;
  pools_->sweep();
  EXPECT_EQ(pools_->size(), 0U);
}

// Whatever else is held.
TEST_F(Pool, ServersThatComeAndGoDoNotAddUp) {
  server_.name = "origin.example:80 (192.0.2.1)";
  const std::shared_ptr<server_pool> held = pools_->at(rules_, server_, health_, 0);
  for (int turn = 0; turn < 100; ++turn) {
    pools_->forget_all();
    for (int i = 0; i < 64; ++i) {
      server_.name =
          "origin.example:80 (10." + std::to_string(turn) + ".0." + std::to_string(i) + ")";
      pool();
    }
    pools_->sweep();
    EXPECT_LE(pools_->size(), 1U + 64U);
  }
}

TEST_F(Pool, ClosingAllWaitsUntilAllIsClosed) {
  const std::shared_ptr<server_pool> held = pools_->at(rules_, server_, health_, 0);
  server_pool& in = *held;
  keep_one(in);
  keep_one(in);
  outcome<bool> closed;
  start(close_all(*pools_), closed);
  ASSERT_TRUE(until([&] { return closed.done(); }));
  EXPECT_EQ(in.idle(), 0U);
  for (const descriptor& one : peers_) EXPECT_TRUE(is_closed(one));
}

}  // namespace
}  // namespace rw::upstream
