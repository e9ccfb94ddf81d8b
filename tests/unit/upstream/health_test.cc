#include "upstream/health.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace rw::upstream {
namespace {

using std::chrono::seconds;

class Health : public testing::Test {
 protected:
  void make(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) all_.push_back(std::make_shared<server_health>(1));
    cluster_ = {group_, all_, rules_};
  }
  void fail(std::size_t i, unsigned times) {
    while (times-- > 0) cluster_.failed(i, "upstream_refused", 0, now_, false);
  }
  bool is_ejected(std::size_t i) const {
    return all_[i]->now(now_, rules_.slow_start) == standing::ejected;
  }
  std::size_t ejected() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < all_.size(); ++i) count += is_ejected(i) ? 1 : 0;
    return count;
  }

  config::upstream_health rules_;
  std::shared_ptr<group> group_ = std::make_shared<group>();
  std::vector<std::shared_ptr<server_health>> all_;
  cluster cluster_;
  mono_time now_{std::chrono::hours{1}};
};

TEST_F(Health, FailuresInARowEject) {
  make(2);
  fail(0, 4);
  EXPECT_TRUE(all_[0]->usable());
  cluster_.failed(0, "answered_5xx", 503, now_, false);
  EXPECT_TRUE(is_ejected(0));
  EXPECT_STREQ(all_[0]->why(), "answered_5xx");
  EXPECT_EQ(all_[0]->why_status(), 503U);
  EXPECT_EQ(all_[0]->since(), now_);
  EXPECT_EQ(all_[0]->ejected_until(), now_ + rules_.eject_for);
  EXPECT_EQ(all_[0]->ejections(), 1U);
}

TEST_F(Health, AGoodAnswerBetweenThemBeginsTheRowAnew) {
  make(2);
  for (int i = 0; i < 20; ++i) {
    fail(0, 4);
    cluster_.answered(0, now_, false);
  }
  EXPECT_TRUE(all_[0]->usable());
}

// Each of its heads is good, and no body is ever whole.
TEST_F(Health, OneThatDiesInEveryBodyIsEjected) {
  make(2);
  for (int i = 0; i < 4; ++i) {
    cluster_.answered(0, now_, false);
    cluster_.cut(0, "upstream_body_cut", now_);
  }
  cluster_.completed(0);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(all_[0]->usable());
    cluster_.answered(0, now_, false);
    cluster_.cut(0, "upstream_body_cut", now_);
  }
  EXPECT_TRUE(is_ejected(0));
}

TEST_F(Health, EjectAfterZeroIsNever) {
  rules_.eject_after = 0;
  make(2);
  fail(0, 1000);
  EXPECT_TRUE(all_[0]->usable());
}

TEST_F(Health, NeverMoreThanHalfAreEjectedAndNeverTheLast) {
  for (std::size_t count = 1; count <= 7; ++count) {
    all_.clear();
    make(count);
    for (std::size_t i = 0; i < count; ++i) fail(i, 100);
    EXPECT_EQ(ejected(), count / 2);
    EXPECT_TRUE(cluster_.any_usable());
  }
}

TEST_F(Health, WhoeverElseIsOutForAnotherReasonIsNobodyToRelyOn) {
  make(4);
  cluster_.set_down(0, true, "check_refused", 0, now_);
  cluster_.set_drained(1, true, now_);
  fail(2, 5);
  fail(3, 5);
  EXPECT_TRUE(is_ejected(2));
  EXPECT_TRUE(all_[3]->usable());
  // The one that was left goes down: the guess about the other gives way.
  cluster_.set_down(3, true, "check_status", 500, now_);
  EXPECT_TRUE(all_[2]->usable());
  EXPECT_STREQ(all_[2]->why(), "nobody_else_is_left");
}

TEST_F(Health, OneThatComesUpIsForgivenWhatItDidBefore) {
  make(2);
  fail(0, 5);
  cluster_.set_down(0, true, "check_refused", 0, now_);
  EXPECT_EQ(all_[0]->now(now_, rules_.slow_start), standing::down);
  cluster_.set_down(0, false, "check_passed", 0, now_);
  EXPECT_EQ(all_[0]->now(now_, rules_.slow_start), standing::warming);
  EXPECT_EQ(all_[0]->now(now_ + rules_.slow_start, rules_.slow_start), standing::up);
}

TEST_F(Health, OneTrialIsLetThroughAtATime) {
  make(2);
  fail(0, 5);
  EXPECT_FALSE(cluster_.try_again(0, now_, true));
  now_ += rules_.eject_for;
  EXPECT_TRUE(cluster_.try_again(0, now_, true));
  EXPECT_EQ(all_[0]->now(now_, rules_.slow_start), standing::trying);
  EXPECT_FALSE(all_[0]->usable());
  EXPECT_FALSE(cluster_.try_again(0, now_, true));
  // What ends meanwhile and began before it was ejected decides nothing.
  cluster_.answered(0, now_, false);
  fail(0, 10);
  EXPECT_EQ(all_[0]->now(now_, rules_.slow_start), standing::trying);
  cluster_.answered(0, now_, true);
  EXPECT_TRUE(all_[0]->usable());
}

TEST_F(Health, ASmallerConfigurationSettlesWhatIsTooMuchForIt) {
  make(4);
  fail(0, 5);
  fail(1, 5);
  EXPECT_EQ(ejected(), 2U);
  const cluster smaller(group_, {all_[0], all_[1], all_[2]}, rules_);
  smaller.settle(now_);
  EXPECT_EQ(ejected(), 1U);
  const cluster smallest(group_, {all_[0], all_[1]}, rules_);
  smallest.settle(now_);
  EXPECT_EQ(ejected(), 1U);
  const cluster last(group_, {all_[1]}, rules_);
  last.settle(now_);
  EXPECT_TRUE(all_[1]->usable());
}

TEST_F(Health, RequestsOfAnOlderConfigurationEjectNobody) {
  make(4);
  const cluster newer(group_, {all_[0], all_[1]}, rules_);
  newer.settle(now_);
  fail(0, 50);
  fail(1, 50);
  EXPECT_EQ(ejected(), 0U);
  for (int i = 0; i < 5; ++i) newer.failed(1, "upstream_refused", 0, now_, false);
  EXPECT_TRUE(is_ejected(1));
}

TEST_F(Health, EveryChangeIsSeenByItsVersion) {
  make(3);
  std::uint64_t before = group_->version;
  const auto grew = [&] { return std::exchange(before, group_->version.load()) < group_->version; };
  fail(0, 4);
  EXPECT_FALSE(grew());
  fail(0, 1);
  EXPECT_TRUE(grew());
  now_ += rules_.eject_for;
  cluster_.try_again(0, now_, true);
  EXPECT_TRUE(grew());
  cluster_.answered(0, now_, true);
  EXPECT_TRUE(grew());
  cluster_.answered(0, now_, false);
  EXPECT_FALSE(grew());
  cluster_.set_drained(1, true, now_);
  EXPECT_TRUE(grew());
  cluster_.set_down(1, true, "check_refused", 0, now_);
  EXPECT_TRUE(grew());
}

// Workers that all see failures at once, a control thread that takes servers out and back: the
// invariants hold for whoever looks while nobody is changing anything.
TEST_F(Health, ManyThreadsKeepTheInvariants) {
  rules_.eject_after = 1;
  rules_.eject_for = nanoseconds{1};
  make(5);
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 3; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 60'000; ++i) {
        const std::size_t at = random() % 5;
        const mono_time now = now_ + nanoseconds{i};
        const bool trial = cluster_.try_again(at, now, true);
        switch (random() % 3) {
          case 0:
            cluster_.answered(at, now, trial);
            break;
          case 1:
            cluster_.failed(at, "upstream_refused", 0, now, trial);
            break;
          default:
            if (trial) cluster_.abandoned(at);
        }
      }
    });
  }
  std::thread control([&] {
    std::mt19937 random(99);
    while (!over) {
      const std::size_t at = random() % 5;
      cluster_.set_down(at, random() % 2 == 0, "check_refused", 0, now_);
      while (group_->changing.test_and_set()) std::this_thread::yield();
      std::size_t out = 0;
      for (const auto& one : all_) {
        const standing is = one->now(now_, seconds{0});
        if (is == standing::ejected || is == standing::trying) ++out;
      }
      EXPECT_LE(out * 2, all_.size());
      group_->changing.clear();
    }
  });
  for (std::thread& one : threads) one.join();
  over = true;
  control.join();
}

}  // namespace
}  // namespace rw::upstream
