#include "auth/replay_table.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <string>
#include <thread>

#include "base/random.h"

namespace rw::auth {
namespace {

using outcome = replay_table::outcome;

constexpr numeric_date at(std::int64_t seconds) {
  return numeric_date(std::chrono::seconds(seconds));
}

class ReplayTable : public ::testing::Test {
 protected:
  void SetUp() override { random_init(); }
};

TEST_F(ReplayTable, OnceUntilItHasExpired) {
  replay_table table;
  EXPECT_EQ(table.take("a", "1", at(200), at(100)), outcome::first);
  EXPECT_EQ(table.take("a", "1", at(200), at(100)), outcome::again);
  EXPECT_EQ(table.take("a", "1", at(200), at(199)), outcome::again);
  EXPECT_EQ(table.take("a", "2", at(200), at(100)), outcome::first);
  EXPECT_EQ(table.take("a", "1", at(400), at(200)), outcome::first);
}

TEST_F(ReplayTable, GoesByIssuerAndJti) {
  replay_table table;
  EXPECT_EQ(table.take("ab", "c", at(200), at(100)), outcome::first);
  EXPECT_EQ(table.take("a", "bc", at(200), at(100)), outcome::first);
  EXPECT_EQ(table.take("", "abc", at(200), at(100)), outcome::first);
}

TEST_F(ReplayTable, AFractionOfASecondIsNotGivenAway) {
  replay_table table;
  const numeric_date until = at(200) + std::chrono::milliseconds(500);
  EXPECT_EQ(table.take("a", "1", until, at(100)), outcome::first);
  EXPECT_EQ(table.take("a", "1", until, at(200) + std::chrono::milliseconds(499)), outcome::again);
}

TEST_F(ReplayTable, FullIsRefusedAndTimeMakesRoom) {
  replay_table table(64);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(table.take("a", std::to_string(i), at(200), at(100)), outcome::first);
  }
  EXPECT_EQ(table.take("a", "64", at(200), at(100)), outcome::full);
  EXPECT_EQ(table.take("a", "63", at(200), at(100)), outcome::again);
  EXPECT_EQ(table.take("a", "64", at(300), at(200)), outcome::first);
}

// Every place expires as the next round begins, so threads do not agree on which are free.
TEST_F(ReplayTable, OfManyAtOnceExactlyOneIsFirst) {
  constexpr int threads = 4;
  constexpr int rounds = 20'000;
  replay_table table(64);
  std::array<std::atomic<int>, rounds> firsts{};
  std::barrier together(threads);
  const auto run = [&](int number) {
    for (int i = 0; i < rounds; ++i) {
      if (i % 8 == 0) together.arrive_and_wait();
      const std::string jti = std::to_string(i);
      const numeric_date now = at(100 + (i + number % 2) / 16);
      if (table.take("a", jti, at(100 + i / 16 + 2), now) == outcome::first)
        ++firsts[static_cast<std::size_t>(i)];
    }
  };
  std::array<std::thread, threads> crew;
  for (int i = 0; i < threads; ++i) crew[static_cast<std::size_t>(i)] = std::thread(run, i);
  for (std::thread& one : crew) one.join();
  int wrong = 0;
  for (const auto& count : firsts) wrong += count == 1 ? 0 : 1;
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace rw::auth
