#include <gtest/gtest.h>

#include <list>
#include <random>
#include <vector>

#include "upstream/pool.h"

namespace rw::upstream {
namespace {

class Choose : public testing::Test {
 protected:
  void add(std::uint32_t weight, unsigned in_flight = 0) {
    server_pool& one = pools_.emplace_back("server", config::upstream{});
    one.in_flight = in_flight;
    servers_.push_back(&one);
    weights_.emplace_back().weight = weight;
  }
  std::size_t draw(const server_pool* avoid = nullptr) {
    return choose(servers_, weights_, random_(), avoid);
  }
  // The share of each server in many draws.
  std::vector<double> shares(unsigned draws, bool stay) {
    std::vector<double> all(servers_.size());
    for (unsigned i = 0; i < draws; ++i) {
      const std::size_t at = draw();
      all[at] += 1.0 / draws;
      if (stay) ++servers_[at]->in_flight;
    }
    return all;
  }

  std::list<server_pool> pools_;
  std::vector<server_pool*> servers_;
  std::vector<server> weights_;
  std::mt19937_64 random_{7};
};

TEST_F(Choose, TheOnlyServerIsChosenEvenIfItIsToBeAvoided) {
  add(1, 1000);
  EXPECT_EQ(draw(), 0U);
  EXPECT_EQ(draw(servers_[0]), 0U);
}

TEST_F(Choose, WhatIsToBeAvoidedIsNotChosen) {
  for (int count = 2; count <= 5; ++count) {
    add(256);
    if (count == 2) add(1, 1'000'000);
    for (server_pool* avoid : servers_) {
      for (int i = 0; i < 2000; ++i) ASSERT_NE(servers_[draw(avoid)], avoid);
    }
  }
}

TEST_F(Choose, WithOneToBeAvoidedTheOthersShareAlike) {
  for (int i = 0; i < 3; ++i) add(1);
  unsigned second = 0;
  for (int i = 0; i < 4000; ++i) second += draw(servers_[0]) == 1;
  EXPECT_NEAR(second, 2000, 200);
}

TEST_F(Choose, OfTwoTheLessBusyIsChosenWheneverBothAreDrawn) {
  add(1, 10);
  add(1, 3);
  // Half of the draws are of one server twice, which is no choice.
  const std::vector<double> got = shares(8000, false);
  EXPECT_NEAR(got[0], 0.25, 0.03);
}

TEST_F(Choose, RequestsUnderWayEvenOut) {
  for (int i = 0; i < 8; ++i) add(1, i == 0 ? 100 : 0);
  shares(1500, true);
  for (const server_pool* one : servers_) EXPECT_NEAR(one->in_flight, 200, 10);
}

TEST_F(Choose, ManyRequestsUnderWaySpreadByWeight) {
  add(1);
  add(9);
  add(30);
  const std::vector<double> got = shares(8000, true);
  EXPECT_NEAR(got[0], 0.025, 0.005);
  EXPECT_NEAR(got[1], 0.225, 0.02);
  EXPECT_NEAR(got[2], 0.75, 0.02);
}

// Each is answered before the next one comes: nothing is ever under way.
TEST_F(Choose, RequestsOneAfterTheOtherSpreadByWeight) {
  add(1);
  add(9);
  add(30);
  const std::vector<double> got = shares(20000, false);
  EXPECT_NEAR(got[0], 0.025, 0.005);
  EXPECT_NEAR(got[1], 0.225, 0.02);
  EXPECT_NEAR(got[2], 0.75, 0.02);
}

TEST_F(Choose, TheLargestWeightsAndLoadsDoNotOverflow) {
  for (int i = 0; i < 1000; ++i) add(256, i == 700 ? 0 : UINT32_MAX);
  unsigned found = 0;
  for (int i = 0; i < 4000; ++i) found += draw() == 700;
  EXPECT_NEAR(found, 8, 8);  // two chances in a thousand
  EXPECT_GT(found, 0U);
}

}  // namespace
}  // namespace rw::upstream
