#include "base/error.h"

#include <gtest/gtest.h>

#include <set>

namespace rw {
namespace {

TEST(Error, EveryFaultHasItsOwnName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(fault::system); ++i) {
    names.insert(name(static_cast<fault>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(fault::system) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Error, StaysSmallEnoughToReturnByValue) { EXPECT_LE(sizeof(error), 16U); }

}  // namespace
}  // namespace rw
