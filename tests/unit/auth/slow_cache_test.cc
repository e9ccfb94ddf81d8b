#include "auth/slow_cache.h"

#include <gtest/gtest.h>

namespace rw::auth {
namespace {

constexpr mono_time start{std::chrono::hours{1}};
constexpr nanoseconds right_for = std::chrono::minutes{5};

slow_answer about(unsigned char set, unsigned char which, bool matched) {
  slow_answer made{.matched = matched};
  made.key[0] = set;  // the set is chosen by the first eight octets
  made.key[31] = which;
  return made;
}

TEST(SlowCache, AMatchCountsUntilItsTimeAndIsKnownAfterwards) {
  slow_cache cache;
  const slow_answer alice = about(1, 1, true);
  EXPECT_FALSE(cache.find(alice.key, start));
  cache.insert(alice, start, right_for);
  EXPECT_TRUE(cache.find(alice.key, start + right_for - nanoseconds{1})->fresh);
  const auto old = cache.find(alice.key, start + right_for);
  ASSERT_TRUE(old);
  EXPECT_FALSE(old->fresh);
  EXPECT_TRUE(old->what.matched);
}

TEST(SlowCache, AWrongKeyIsForgottenSoon) {
  slow_cache cache;
  const slow_answer wrong = about(1, 1, false);
  cache.insert(wrong, start, right_for);
  EXPECT_TRUE(cache.find(wrong.key, start)->fresh);
  EXPECT_FALSE(cache.find(wrong.key, start + slow_cache::wrong_for)->fresh);
}

TEST(SlowCache, NoNumberOfWrongKeysPushesOutARightOne) {
  slow_cache cache;
  for (unsigned char i = 1; i <= 4; ++i) cache.insert(about(7, i, true), start, right_for);
  for (unsigned char i = 100; i < 200; ++i) cache.insert(about(7, i, false), start, right_for);
  for (unsigned char i = 1; i <= 4; ++i) {
    EXPECT_TRUE(cache.find(about(7, i, true).key, start)->fresh) << int{i};
  }
  // A right one takes the place of the one that ends first.
  cache.insert(about(7, 50, true), start + right_for / 2, right_for);
  EXPECT_TRUE(cache.find(about(7, 50, true).key, start + right_for)->fresh);
}

TEST(SlowCache, ARightKeyTakesTheOldestWrongOnesPlace) {
  slow_cache cache;
  for (unsigned char i = 1; i <= 4; ++i) {
    cache.insert(about(7, i, false), start + std::chrono::seconds{i}, right_for);
  }
  cache.insert(about(7, 9, true), start + std::chrono::seconds{5}, right_for);
  EXPECT_FALSE(cache.find(about(7, 1, false).key, start));
  EXPECT_TRUE(cache.find(about(7, 2, false).key, start));
}

}  // namespace
}  // namespace rw::auth
