#include "http/h2_window.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace rw::http {
namespace {

using std::chrono::milliseconds;

constexpr mono_time start{std::chrono::hours{1}};
constexpr nanoseconds round_trip = milliseconds{50};

// One whole window, in two halves, that takes so long.
bool drain(receive_window& window, mono_time& now, nanoseconds takes) {
  const std::uint32_t half = window.size() / 2;
  window.drained(half, now);
  now += takes;
  return window.drained(window.size() - half, now) && window.grow(round_trip);
}

TEST(H2Window, DoublesUpToWhatTheLongestPathNeeds) {
  window_pool pool(100'000'000);
  receive_window window(pool);
  mono_time now = start;
  std::vector<std::uint32_t> sizes;
  while (drain(window, now, round_trip)) sizes.push_back(window.size());
  EXPECT_EQ(sizes, (std::vector<std::uint32_t>{131'070, 262'140, 524'280, 1'048'560, 2'097'120,
                                               4'194'240, receive_window::most}));
  EXPECT_EQ(pool.free(), 100'000'000U - (receive_window::most - receive_window::first));
}

TEST(H2Window, StaysWhereAPathBringsNoMore) {
  window_pool pool(100'000'000);
  receive_window window(pool);
  mono_time now = start;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(drain(window, now, 2 * round_trip + milliseconds{1}));
  EXPECT_EQ(window.size(), receive_window::first);
  EXPECT_TRUE(drain(window, now, 2 * round_trip));
}

TEST(H2Window, AShortPathIsTakenForOneOfTheLeastLength) {
  window_pool pool(100'000'000);
  receive_window window(pool);
  window.drained(1, start);
  ASSERT_TRUE(window.drained(window.size(), start + 2 * receive_window::least_round_trip));
  EXPECT_TRUE(window.grow(milliseconds{0}));
}

TEST(H2Window, SilenceBetweenTwoPiecesIsNotForgotten) {
  window_pool pool(100'000'000);
  receive_window window(pool);
  window.drained(window.size() / 2, start);
  ASSERT_TRUE(window.drained(window.size(), start + std::chrono::seconds{1}));
  EXPECT_FALSE(window.grow(round_trip));
}

TEST(H2Window, NeverMoreThanIsFree) {
  constexpr std::uint64_t all = 200'000;
  window_pool pool(all);
  std::vector<std::unique_ptr<receive_window>> windows;
  for (int i = 0; i < 10; ++i) windows.push_back(std::make_unique<receive_window>(pool));
  mono_time now = start;
  for (int round = 0; round < 5; ++round) {
    for (const auto& one : windows) drain(*one, now, milliseconds{1});
    std::uint64_t promised = 0;
    for (const auto& one : windows) promised += one->size() - receive_window::first;
    EXPECT_EQ(promised + pool.free(), all);
  }
  EXPECT_LT(pool.free(), receive_window::first);  // what is left is less than anybody's next step
  windows.clear();
  EXPECT_EQ(pool.free(), all);
}

TEST(H2Window, WhatIsGivenBackIsOthers) {
  window_pool pool(receive_window::first);
  receive_window one(pool);
  receive_window two(pool);
  mono_time now = start;
  EXPECT_TRUE(drain(one, now, milliseconds{1}));
  EXPECT_FALSE(drain(two, now, milliseconds{1}));
  one.give_back();
  EXPECT_EQ(one.size(), receive_window::first);
  EXPECT_TRUE(drain(two, now, milliseconds{1}));
  one.give_back();  // twice is no harm
  EXPECT_EQ(pool.free(), 0U);
}

}  // namespace
}  // namespace rw::http
