#include "config/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace rw::config {
namespace {

TEST(Nearest, DistanceCountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("wrokers", "workers"), 1U);  // neighbours swapped
  EXPECT_EQ(edit_distance("wokers", "workers"), 1U);
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);  // optimal string alignment edits no place twice
}

TEST(Nearest, FindsTheClosestAndTheFirstOnATie) {
  constexpr std::array<std::string_view, 4> known{"rate", "burst", "base", "cost"};
  EXPECT_EQ(nearest("bursts", known), "burst");
  EXPECT_EQ(nearest("bate", known), "rate");
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(Nearest, SuggestsOnlyWhatIsClose) {
  constexpr std::array<std::string_view, 2> known{"handshake", "head"};
  EXPECT_EQ(suggestion("handshke", known), "; did you mean \"handshake\"?");
  EXPECT_EQ(suggestion("zzzzzz", known), "; the nearest known is \"head\"");
  EXPECT_EQ(suggestion("handshke", {}), "");
  EXPECT_EQ(did_you_mean("handshke", known), "; did you mean \"handshake\"?");
  EXPECT_EQ(did_you_mean("zzzzzz", known), "");
}

}  // namespace
}  // namespace rw::config
