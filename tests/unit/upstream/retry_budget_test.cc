#include "upstream/retry_budget.h"

#include <gtest/gtest.h>

namespace rw::upstream {
namespace {

using std::chrono::milliseconds;

class RetryBudget : public testing::Test {
 protected:
  // How many of `wanted` are granted at once.
  unsigned spend(unsigned wanted, double part = 0.2) {
    unsigned got = 0;
    for (unsigned i = 0; i < wanted; ++i) got += budget_.spend(part, now_) ? 1 : 0;
    return got;
  }
  retry_budget budget_;
  mono_time now_{std::chrono::hours{1}};
};

TEST_F(RetryBudget, WhatIsSavedUpAtTheStartIsBounded) { EXPECT_EQ(spend(1000), 64U); }

TEST_F(RetryBudget, RequestsEarnTheirPart) {
  spend(1000);
  for (int i = 0; i < 80; ++i) budget_.earn(0.25);
  EXPECT_EQ(spend(1000), 20U);
}

TEST_F(RetryBudget, NoMoreIsSavedThanAtTheStart) {
  for (int i = 0; i < 100'000; ++i) budget_.earn(1.0);
  EXPECT_EQ(spend(1000), 64U);
}

// When every request fails, a fifth of them is tried again.
TEST_F(RetryBudget, InTheLongRunRetriesAreAPartOfRequests) {
  unsigned got = 0;
  for (int i = 0; i < 100'000; ++i) {
    budget_.earn(0.2);
    got += budget_.spend(0.2, now_) ? 1 : 0;
  }
  EXPECT_NEAR(got, 20'064, 1);
}

TEST_F(RetryBudget, OneASecondIsFree) {
  spend(1000);
  now_ += milliseconds{999};
  EXPECT_EQ(spend(10), 0U);
  now_ += milliseconds{1};
  EXPECT_EQ(spend(10), 1U);
  now_ += std::chrono::hours{24};
  EXPECT_EQ(spend(1000), 64U);
}

TEST_F(RetryBudget, ABudgetOfNothingIsNothing) { EXPECT_EQ(spend(10, 0.0), 0U); }

}  // namespace
}  // namespace rw::upstream
