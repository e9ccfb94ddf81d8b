#include "base/secret.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "base/random.h"

namespace rw {
namespace {

TEST(Secret, KeepsItsBytesWhenMoved) {
  random_init();
  secret one("hunter2");
  secret two(std::move(one));
  EXPECT_EQ(two.view(), "hunter2");
  secret three;
  three = std::move(two);
  EXPECT_EQ(three.view(), "hunter2");
  EXPECT_TRUE(secret{}.empty());
}

TEST(Secret, ComparesWhole) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST(Random, Base62UsesTheWholeAlphabet) {
  const std::string text = random_base62(4096);
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 62U);
}

}  // namespace
}  // namespace rw
