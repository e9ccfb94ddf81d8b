#include "upstream/picker.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace rw::upstream {
namespace {

using config::balance_rule;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Picker : public testing::Test {
 protected:
  void add(std::uint32_t weight = 1, unsigned in_flight = 0, bool backup = false) {
    server& made = servers_.emplace_back();
    made.name = "10.0.0." + std::to_string(servers_.size()) + ":80";
    made.weight = weight;
    made.backup = backup;
    healths_.push_back(std::make_shared<server_health>(1));
    pool_store_.emplace_back(made.name, rules_, healths_.back(), 0).in_flight = in_flight;
    pools_.push_back(&pool_store_.back());
  }
  // With all that was added, and nothing remembered.
  void make() {
    cluster_ = {group_, healths_, rules_.health};
    picker_.emplace(cluster_, servers_, pools_, rules_, 0);
  }
  choice pick(const server_pool* avoid = nullptr, std::optional<std::uint64_t> key = {},
              bool repeatable = true) {
    return picker_->pick({now_, random_(), key, avoid, avoid == nullptr, repeatable});
  }
  std::size_t draw(const server_pool* avoid = nullptr) { return pick(avoid).server; }
  // The share of each server in many draws; `stay`: none is answered.
  std::vector<double> shares(unsigned draws, bool stay = false) {
    std::vector<double> all(servers_.size());
    for (unsigned i = 0; i < draws; ++i) {
      const std::size_t at = draw();
      all[at] += 1.0 / draws;
      if (stay) ++pools_[at]->in_flight;
    }
    return all;
  }
  void fail(std::size_t i, unsigned times = 5) {
    while (times-- > 0) cluster_.failed(i, "upstream_refused", 0, now_, false);
  }

  config::upstream rules_;
  std::shared_ptr<group> group_ = std::make_shared<group>();
  std::vector<std::shared_ptr<server_health>> healths_;
  std::vector<server> servers_;
  std::deque<server_pool> pool_store_;
  std::vector<server_pool*> pools_;
  cluster cluster_;
  std::optional<picker> picker_;
  std::mt19937_64 random_{7};
  mono_time now_{std::chrono::hours{1}};
};

// ---- p2c
TEST_F(Picker, TheOnlyServerIsChosenEvenIfItIsToBeAvoided) {
  add(1, 1000);
  make();
  EXPECT_EQ(draw(), 0U);
  EXPECT_EQ(draw(pools_[0]), 0U);
}

TEST_F(Picker, WhatIsToBeAvoidedIsNotChosenByAnyRule) {
  for (const auto rule : {balance_rule::p2c, balance_rule::round_robin,
                          balance_rule::least_requests, balance_rule::hash}) {
    rules_.balance = rule;
    for (int count = 0; count < 4; ++count) {
      add(count == 1 ? 1 : 256, count == 1 ? 1'000'000 : 0);
      if (servers_.size() < 2) continue;
      make();
      for (server_pool* avoid : pools_) {
        for (int i = 0; i < 500; ++i) {
          ASSERT_NE(pools_[pick(avoid, random_()).server], avoid) << static_cast<int>(rule);
        }
      }
    }
  }
}

TEST_F(Picker, WithOneToBeAvoidedTheOthersShareAlike) {
  for (int i = 0; i < 3; ++i) add();
  make();
  unsigned second = 0;
  for (int i = 0; i < 4000; ++i) second += draw(pools_[0]) == 1;
  EXPECT_NEAR(second, 2000, 200);
}

// Two different ones are drawn: of two servers the one that hangs gets nothing.
TEST_F(Picker, OfTwoTheLessBusyIsAlwaysChosen) {
  add(1, 10);
  add(1, 3);
  make();
  EXPECT_EQ(shares(2000)[0], 0.0);
}

TEST_F(Picker, RequestsUnderWayEvenOut) {
  for (int i = 0; i < 8; ++i) add(1, i == 0 ? 100 : 0);
  make();
  shares(1500, true);
  for (const server_pool* one : pools_) EXPECT_NEAR(one->in_flight, 200, 10);
}

TEST_F(Picker, SharesAreWithinFivePerCent) {
  for (int i = 0; i < 16; ++i) add();
  make();
  for (const bool stay : {false, true}) {
    for (const double share : shares(400'000, stay)) EXPECT_NEAR(share, 1.0 / 16, 0.05 / 16);
  }
}

TEST_F(Picker, ManyRequestsUnderWaySpreadByWeight) {
  add(1);
  add(9);
  add(30);
  make();
  const std::vector<double> got = shares(40'000, true);
  EXPECT_NEAR(got[0], 0.025, 0.025 * 0.05);
  EXPECT_NEAR(got[1], 0.225, 0.225 * 0.05);
  EXPECT_NEAR(got[2], 0.75, 0.75 * 0.05);
}

// Each is answered before the next one comes: nothing is ever under way.
TEST_F(Picker, RequestsOneAfterTheOtherSpreadByWeight) {
  add(1);
  add(9);
  add(30);
  make();
  const std::vector<double> got = shares(200'000);
  EXPECT_NEAR(got[0], 0.025, 0.025 * 0.05);
  EXPECT_NEAR(got[1], 0.225, 0.225 * 0.05);
  EXPECT_NEAR(got[2], 0.75, 0.75 * 0.05);
}

TEST_F(Picker, TheLargestWeightsAndLoadsDoNotOverflow) {
  for (int i = 0; i < 1000; ++i) add(256, i == 700 ? 0 : UINT32_MAX);
  make();
  unsigned found = 0;
  for (int i = 0; i < 4000; ++i) found += draw() == 700;
  EXPECT_NEAR(found, 8, 8);  // two chances in a thousand
  EXPECT_GT(found, 0U);
}

// ---- round_robin
TEST_F(Picker, RoundRobinIsSmooth) {
  rules_.balance = balance_rule::round_robin;
  for (const std::uint32_t weight : {5U, 1U, 1U}) add(weight);
  make();
  for (int round = 0; round < 10; ++round) {
    std::vector<unsigned> got(3);
    std::string order;
    for (int i = 0; i < 7; ++i) {
      const std::size_t at = draw();
      ++got[at];
      order += static_cast<char>('a' + at);
    }
    EXPECT_EQ(got, (std::vector<unsigned>{5, 1, 1})) << order;
    EXPECT_FALSE(order.contains("aaaa")) << order;
  }
}

TEST_F(Picker, RoundRobinsOfTwoWorkersDoNotBeginWithTheSameServer) {
  rules_.balance = balance_rule::round_robin;
  for (int i = 0; i < 4; ++i) add();
  cluster_ = {group_, healths_, rules_.health};
  std::set<std::size_t> first;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    picker_.emplace(cluster_, servers_, pools_, rules_, seed * 1000);
    first.insert(draw());
  }
  EXPECT_EQ(first.size(), 4U);
}

// ---- least_requests
TEST_F(Picker, TheLeastBusyIsChosenByWeight) {
  rules_.balance = balance_rule::least_requests;
  add(1, 3);
  add(4, 8);
  add(1, 5);
  make();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(draw(), 1U);
}

TEST_F(Picker, AmongEqualsTheLeastBusyIsDrawn) {
  rules_.balance = balance_rule::least_requests;
  for (int i = 0; i < 4; ++i) add();
  make();
  for (const double share : shares(40'000)) EXPECT_NEAR(share, 0.25, 0.25 * 0.05);
}

// ---- hash
class Hash : public Picker {
 protected:
  static constexpr unsigned keys = 40'000;
  Hash() { rules_.balance = balance_rule::hash; }
  std::vector<std::size_t> places() {
    make();
    std::vector<std::size_t> all;
    for (unsigned i = 0; i < keys; ++i) {
      all.push_back(pick(nullptr, hash_of("client " + std::to_string(i))).server);
    }
    return all;
  }
  static double moved(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
    unsigned count = 0;
    for (unsigned i = 0; i < keys; ++i) count += a[i] != b[i];
    return static_cast<double>(count) / keys;
  }
};

TEST_F(Hash, AKeyStaysWhereItIs) {
  for (int i = 0; i < 5; ++i) add();
  EXPECT_EQ(places(), places());
}

TEST_F(Hash, AddingAServerMovesOnlyItsShare) {
  for (int n = 1; n <= 8; ++n) {
    add();
    const auto before = places();
    add();
    const auto after = places();
    EXPECT_LE(moved(before, after), 1.0 / (n + 1) + 0.02);
    for (unsigned i = 0; i < keys; ++i) {
      if (before[i] != after[i]) ASSERT_EQ(after[i], servers_.size() - 1);
    }
    servers_.pop_back();
    healths_.pop_back();
    pools_.pop_back();
    pool_store_.pop_back();
  }
}

TEST_F(Hash, KeysSpreadByWeight) {
  for (const std::uint32_t weight : {1U, 2U, 5U}) add(weight);
  std::vector<double> got(3);
  for (const std::size_t at : places()) got[at] += 1.0 / keys;
  EXPECT_NEAR(got[0], 0.125, 0.01);
  EXPECT_NEAR(got[1], 0.25, 0.01);
  EXPECT_NEAR(got[2], 0.625, 0.01);
}

TEST_F(Hash, OfAServerThatIsOutOnlyItsOwnKeysMove) {
  for (int i = 0; i < 4; ++i) add();
  const auto before = places();
  fail(2);
  const auto after = places();
  for (unsigned i = 0; i < keys; ++i) {
    ASSERT_EQ(after[i] == before[i], before[i] != 2);
    ASSERT_NE(after[i], 2U);
  }
}

TEST_F(Hash, WithoutAKeyServersShareAlike) {
  for (int i = 0; i < 4; ++i) add();
  make();
  for (const double share : shares(40'000)) EXPECT_NEAR(share, 0.25, 0.25 * 0.05);
}

// ---- what can be used
TEST_F(Picker, AnEjectedServerGetsNothingAndThenOneRequest) {
  for (int i = 0; i < 3; ++i) add();
  make();
  draw();
  fail(1);
  for (int i = 0; i < 1000; ++i) ASSERT_NE(draw(), 1U);
  now_ += rules_.health.eject_for;
  const choice first = pick();
  EXPECT_EQ(first.server, 1U);
  EXPECT_TRUE(first.trial);
  for (int i = 0; i < 1000; ++i) ASSERT_NE(draw(), 1U);
  cluster_.answered(1, now_, true);
  now_ += rules_.health.slow_start;
  EXPECT_NEAR(shares(30'000)[1], 1.0 / 3, 0.02);
}

TEST_F(Picker, AFailedTrialCostsAsLongAgain) {
  for (int i = 0; i < 2; ++i) add();
  make();
  fail(0);
  now_ += rules_.health.eject_for;
  ASSERT_TRUE(pick().trial);
  cluster_.failed(0, "upstream_refused", 0, now_, true);
  now_ += rules_.health.eject_for - milliseconds{1};
  for (int i = 0; i < 100; ++i) ASSERT_EQ(draw(), 1U);
  now_ += milliseconds{1};
  EXPECT_TRUE(pick().trial);
  // A client that went away says nothing of the server: the next request tries.
  cluster_.abandoned(0);
  EXPECT_TRUE(pick().trial);
}

TEST_F(Picker, WhatCannotBeRepeatedTriesOnlyWhereNothingElseDoes) {
  for (int i = 0; i < 2; ++i) add();
  make();
  fail(0);
  now_ += rules_.health.eject_for;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pick(nullptr, {}, false).server, 1U);
  now_ += rules_.health.eject_for;
  EXPECT_TRUE(pick(nullptr, {}, false).trial);
}

TEST_F(Picker, ASecondTryIsNoTrial) {
  for (int i = 0; i < 3; ++i) add();
  make();
  fail(0);
  now_ += rules_.health.eject_for;
  for (int i = 0; i < 100; ++i) ASSERT_FALSE(pick(pools_[1]).trial);
}

TEST_F(Picker, OneThatCameBackIsGivenItsShareSlowly) {
  for (int i = 0; i < 2; ++i) add();
  make();
  cluster_.set_down(0, true, "check_refused", 0, now_);
  EXPECT_EQ(shares(100)[0], 0.0);
  cluster_.set_down(0, false, "check_passed", 0, now_);
  EXPECT_NEAR(shares(40'000)[0], 0.1 / 1.1, 0.02);
  now_ += rules_.health.slow_start / 2;
  EXPECT_NEAR(shares(40'000)[0], 0.5 / 1.5, 0.02);
  now_ += rules_.health.slow_start / 2;
  EXPECT_NEAR(shares(40'000)[0], 0.5, 0.02);
}

TEST_F(Picker, WithoutASlowStartItIsThereAtOnce) {
  rules_.health.slow_start = seconds{0};
  for (int i = 0; i < 2; ++i) add();
  make();
  cluster_.set_down(0, true, "check_refused", 0, now_);
  cluster_.set_down(0, false, "check_passed", 0, now_);
  EXPECT_NEAR(shares(40'000)[0], 0.5, 0.02);
}

TEST_F(Picker, BackupsAreUsedWhenNothingElseIsLeft) {
  add();
  add();
  add(1, 0, true);
  make();
  EXPECT_EQ(shares(2000)[2], 0.0);
  cluster_.set_drained(0, true, now_);
  EXPECT_NEAR(shares(2000)[1], 1.0, 1e-9);
  cluster_.set_drained(1, true, now_);
  EXPECT_NEAR(shares(2000)[2], 1.0, 1e-9);
  cluster_.set_drained(1, false, now_);
  EXPECT_EQ(shares(2000)[2], 0.0);
}

TEST_F(Picker, ASecondTryMayGoToABackup) {
  add();
  add(1, 0, true);
  make();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(draw(), 0U);
    ASSERT_EQ(draw(pools_[0]), 1U);
  }
}

TEST_F(Picker, WhenNoneIsLeftNoneIsChosen) {
  add();
  add();
  make();
  cluster_.set_drained(0, true, now_);
  cluster_.set_down(1, true, "check_refused", 0, now_);
  EXPECT_EQ(draw(), choice::none);
  EXPECT_EQ(draw(pools_[0]), choice::none);
  cluster_.set_down(1, false, "check_passed", 0, now_);
  EXPECT_EQ(draw(), 1U);
}

}  // namespace
}  // namespace rw::upstream
