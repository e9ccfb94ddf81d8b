// listener.timeouts.least_rate, to the octet and the nanosecond.
#include <gtest/gtest.h>

#include <chrono>

#include "gateway/body.h"

namespace rw::gateway {
namespace {

using namespace std::chrono_literals;

TEST(RateFloor, ZeroIsOff) {
  rate_floor off(0);
  EXPECT_TRUE(off.keeps_up(0, 24h));
  EXPECT_FALSE(off.broken());
}

TEST(RateFloor, IsExactOverTenSecondsOfWaiting) {
  rate_floor exact(100);
  EXPECT_TRUE(exact.keeps_up(0, 10s - 1ns));
  EXPECT_TRUE(exact.keeps_up(1000, 1ns));
  EXPECT_FALSE(exact.broken());
  rate_floor less(100);
  EXPECT_TRUE(less.keeps_up(0, 10s - 1ns));
  EXPECT_FALSE(less.keeps_up(999, 1ns));
  EXPECT_TRUE(less.broken());
}

TEST(RateFloor, EveryWindowIsItsOwn) {
  rate_floor floor(100);
  EXPECT_TRUE(floor.keeps_up(1'000'000, 10s));  // nothing is carried over
  EXPECT_TRUE(floor.keeps_up(500, 5s));
  EXPECT_TRUE(floor.keeps_up(500, 5s));
  EXPECT_FALSE(floor.keeps_up(0, 10s));
}

TEST(RateFloor, WhatTheOriginTakesItsTimeForDoesNotCount) {
  rate_floor floor(1'000'000);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(floor.keeps_up(1, 0s));
  EXPECT_TRUE(floor.keeps_up(0, 9999ms));
  EXPECT_FALSE(floor.keeps_up(0, 1ms));
}

}  // namespace
}  // namespace rw::gateway
