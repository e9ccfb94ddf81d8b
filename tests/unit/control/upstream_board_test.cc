#include "control/upstream_board.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "config/load.h"

namespace rw::control {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class UpstreamBoard : public testing::Test {
 protected:
  UpstreamBoard() {
    random_init();
    adopt(
        R"({ address = "127.0.0.1:1" }, { address = "127.0.0.1:2" }, { address = "127.0.0.1:3" })");
  }
  void adopt(const std::string& servers) {
    auto loaded = config::parse(
        "[[listener]]\nname = \"l\"\naddress = \"127.0.0.1:0\"\n"
        "[[upstream]]\nname = \"origin\"\nservers = [" +
            servers + "]\n",
        "test");
    ASSERT_TRUE(loaded) << config::to_string(loaded.error().front());
    gateway::snapshot_context with;
    with.labels = &labels_;
    with.workers = 2;
    with.previous = state_.get();
    auto made = gateway::make_snapshot(std::move(loaded->settings), with);
    ASSERT_TRUE(made) << config::to_string(made.error().front());
    board_.adopt(made->state, now_);
    state_ = made->state;
  }
  const upstream::cluster& all() const { return state_->upstreams[0].health; }
  void fail(std::size_t i) {
    for (int k = 0; k < 5; ++k) all().failed(i, "upstream_refused", 0, now_, false);
  }
  // What it writes, looking once.
  std::string look() {
    testing::internal::CaptureStderr();
    board_.look(now_, log_);
    return testing::internal::GetCapturedStderr();
  }

  observe::log log_;
  observe::label_names labels_;
  std::shared_ptr<const gateway::snapshot> state_;
  upstream_board board_;
  mono_time now_{hours{1}};
};

TEST_F(UpstreamBoard, AnEjectionIsSaidOnceWithItsReasonAndWhatIsLeft) {
  EXPECT_EQ(look(), "");
  fail(1);
  EXPECT_EQ(look(),
            "ringward: warning: upstream origin: 127.0.0.1:2 is ejected for 30s: upstream_refused; "
            "2 of 3 servers are left\n");
  EXPECT_EQ(look(), "");
}

TEST_F(UpstreamBoard, ATrialIsWorthALineForWhatCameOfIt) {
  fail(1);
  look();
  now_ += seconds{30};
  ASSERT_TRUE(all().try_again(1, now_, true));
  EXPECT_EQ(look(), "");
  all().failed(1, "upstream_connect_timeout", 0, now_, true);
  EXPECT_EQ(look(),
            "ringward: warning: upstream origin: 127.0.0.1:2 was tried again in vain, and is out "
            "for another 30s: upstream_connect_timeout\n");
  // Not again for ten minutes, however often it is.
  for (int i = 0; i < 19; ++i) {
    now_ += seconds{31};
    ASSERT_TRUE(all().try_again(1, now_, true));
    all().failed(1, "upstream_connect_timeout", 0, now_, true);
    EXPECT_EQ(look(), "");
  }
  now_ += seconds{31};
  ASSERT_TRUE(all().try_again(1, now_, true));
  all().failed(1, "upstream_connect_timeout", 0, now_, true);
  EXPECT_NE(look(), "");
  now_ += seconds{40};
  ASSERT_TRUE(all().try_again(1, now_, true));
  all().answered(1, now_, true);
  EXPECT_EQ(look(),
            "ringward: info: upstream origin: 127.0.0.1:2 is back after 11m: answers_again\n");
}

TEST_F(UpstreamBoard, ThatNobodyIsLeftIsAnError) {
  for (std::size_t i = 0; i < 3; ++i) all().set_down(i, true, "check_status", 500, now_);
  const std::string said = look();
  EXPECT_TRUE(said.contains("127.0.0.1:1 is down: check_status (500); 0 of 3 servers are left"))
      << said;
  EXPECT_TRUE(said.contains("ringward: error: upstream origin: no server is left")) << said;
  EXPECT_EQ(look(), "");
}

TEST_F(UpstreamBoard, TheTableHasARowForEachServer) {
  upstream::server_counts& first = all().at(0).counts(0);
  upstream::server_counts& second = all().at(0).counts(1);
  now_ += seconds{10};
  for (int i = 0; i < 30; ++i) {
    first.requests.add();
    second.requests.add();
    first.first_byte.record(milliseconds{1});
  }
  first.under_way.set(2);
  second.under_way.set(3);
  fail(2);
  now_ += seconds{5};
  EXPECT_EQ(board_.table(now_),
            "UPSTREAM  SERVER       STATE    WHY               SINCE  NOW  RATE/s    P50    P99  "
            "REQUESTS  FAILED  IDLE\n"
            "origin    127.0.0.1:1  up       -                     -    5     4.0  768us  1.0ms   "
            "     60       0     0\n"
            "origin    127.0.0.1:2  up       -                     -    0     0.0      -      -   "
            "      0       0     0\n"
            "origin    127.0.0.1:3  ejected  upstream_refused     5s    0     0.0      -      -   "
            "      0       0     0\n");
  EXPECT_EQ(board_.summary(now_),
            "upstream      origin: 2 of 3 servers get requests; 127.0.0.1:3 is ejected "
            "(upstream_refused)\n");
}

TEST_F(UpstreamBoard, RatesAreOfTheLastTenToTwentySeconds) {
  upstream::server_counts& counts = all().at(0).counts(0);
  for (int i = 0; i < 50; ++i) {
    counts.requests.add(10);
    now_ += seconds{1};
    look();
  }
  EXPECT_TRUE(board_.table(now_).contains("  10.0  ")) << board_.table(now_);
  for (int i = 0; i < 21; ++i) {
    now_ += seconds{1};
    look();
  }
  EXPECT_FALSE(board_.table(now_).contains("  10.0  ")) << board_.table(now_);
}

TEST_F(UpstreamBoard, ADrainedServerStaysSoOverAReload) {
  const auto done = board_.drain("127.0.0.1:2", true, now_);
  EXPECT_TRUE(done.done);
  EXPECT_EQ(done.text, "127.0.0.1:2 of origin gets no new requests; 0 are under way\n");
  adopt(R"({ address = "127.0.0.1:2" }, { address = "127.0.0.1:9" })");
  EXPECT_TRUE(all().at(0).drained());
  const auto last = board_.drain("127.0.0.1:9", true, now_);
  EXPECT_TRUE(last.text.contains("no server of origin is left: its requests get 503"));
  EXPECT_TRUE(board_.drain("127.0.0.1:2", false, now_).done);
  EXPECT_TRUE(all().at(0).usable());
  EXPECT_FALSE(board_.drain("127.0.0.1:1", true, now_).done);
}

TEST_F(UpstreamBoard, AReloadThatLeavesTooFewTakesEjectionsBack) {
  fail(0);
  EXPECT_FALSE(all().at(0).usable());
  adopt(R"({ address = "127.0.0.1:1" })");
  EXPECT_TRUE(all().at(0).usable());
  EXPECT_STREQ(all().at(0).why(), "nobody_else_is_left");
}

TEST_F(UpstreamBoard, OneThatWasDownAndIsNoLongerCheckedIsUp) {
  all().set_down(0, true, "check_refused", 0, now_);
  adopt(R"({ address = "127.0.0.1:1" }, { address = "127.0.0.1:2" })");
  EXPECT_TRUE(all().at(0).usable());
}

TEST_F(UpstreamBoard, DeadlinesThatWereMissedAreListedByServer) {
  EXPECT_EQ(board_.deadlines(), "");
  all().at(0).counts(0).deadlines.add(observe::deadline::gap);
  all().at(1).counts(0).deadlines.add(observe::deadline::gap);
  all().at(1).counts(0).deadlines.add(observe::deadline::tls);
  EXPECT_EQ(board_.deadlines(), "timeouts      upstream origin: tls 1, gap 2\n");
  std::string text;
  board_.expose(now_, text);
  EXPECT_TRUE(text.contains(
      "ringward_upstream_server_timeouts_total{upstream=\"origin\",server=\"127.0.0.1:"
      "1\",deadline=\"gap\"} 1\n"))
      << text;
}

TEST_F(UpstreamBoard, MetricsHaveStateAndReason) {
  fail(0);
  std::string text;
  board_.expose(now_, text);
  EXPECT_TRUE(text.contains("# TYPE ringward_upstream_server_state gauge\n")) << text;
  EXPECT_TRUE(
      text.contains("ringward_upstream_server_state{upstream=\"origin\",server=\"127.0.0.1:"
                    "1\",state=\"ejected\",reason=\"upstream_refused\"} 1\n"))
      << text;
  EXPECT_TRUE(
      text.contains("ringward_upstream_server_usable{upstream=\"origin\",server=\"127.0.0.1"
                    ":1\"} 0\n"))
      << text;
}

}  // namespace
}  // namespace rw::control
