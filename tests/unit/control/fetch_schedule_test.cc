#include "control/fetch_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rw::control {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t least = 0;
constexpr std::uint64_t most = UINT64_MAX;
constexpr mono_time start{hours{1000}};
constexpr fetch_schedule::rules rules{minutes{10}, hours{24}};

TEST(FetchSchedule, IsDueAtOnceAndHasNothingThatCouldLapse) {
  const fetch_schedule one(rules, start);
  EXPECT_EQ(one.due(), start);
  EXPECT_EQ(one.lapses(), mono_time::max());
  EXPECT_FALSE(one.fetched());
}

TEST(FetchSchedule, FetchesBeforeWhatItHasIsStale) {
  const struct {
    std::optional<seconds> max_age;
    seconds fresh;
  } table[] = {{{}, minutes{10}},
               {seconds{100}, seconds{100}},
               {seconds{0}, seconds{30}},
               {seconds{29}, seconds{30}},
               {hours{24}, minutes{10}}};
  for (const auto& row : table) {
    fetch_schedule one(rules, start);
    one.begin(start);
    one.succeed(row.max_age, least);
    EXPECT_EQ(one.due(), start + nanoseconds(row.fresh) * 3 / 4);
    one.succeed(row.max_age, most);
    EXPECT_LE(one.due(), start + nanoseconds(row.fresh) * 9 / 10);
    EXPECT_GT(one.due(), start + nanoseconds(row.fresh) * 8 / 10);
    EXPECT_EQ(one.lapses(), start + hours{24});
  }
}

TEST(FetchSchedule, PausesGrowFromASecondToFiveMinutes) {
  fetch_schedule one(rules, start);
  seconds longest{1};
  for (unsigned n = 1; n <= 100; ++n) {
    fetch_schedule other = one;
    one.fail(start, least);
    other.fail(start, most);
    EXPECT_EQ(one.failures(), n);
    EXPECT_EQ(one.due() - start, std::max<nanoseconds>(seconds{1}, nanoseconds(longest) / 2)) << n;
    EXPECT_LE(other.due() - start, longest) << n;
    EXPECT_GE(other.due() - start, nanoseconds(longest) * 99 / 100) << n;
    longest = std::min<seconds>(longest * 2, minutes{5});
  }
  one.begin(start);
  one.succeed({}, least);
  EXPECT_EQ(one.failures(), 0U);
  one.fail(start, most);
  EXPECT_LE(one.due(), start + seconds{1});
}

TEST(FetchSchedule, ItMayBeAskedForTenSecondsAfterTheLastOneBegan) {
  fetch_schedule one(rules, start);
  one.begin(start);
  one.succeed({}, least);
  EXPECT_EQ(one.askable(), start + seconds{10});
  one.ask();
  EXPECT_LE(one.due(), start);
  // A failure counts, and its pause with it.
  one.begin(start + seconds{10});
  one.fail(start + seconds{15}, least);
  EXPECT_EQ(one.askable(), start + seconds{20});
  for (int i = 0; i < 20; ++i) one.fail(start + seconds{15}, most);
  EXPECT_EQ(one.askable(), one.due());
}

TEST(FetchSchedule, WhatIsTooOldLapsesOnce) {
  fetch_schedule one(rules, start);
  one.begin(start);
  one.succeed({}, least);
  // The age is that of what was fetched, not of the attempts since.
  one.begin(start + minutes{8});
  one.fail(start + minutes{8}, least);
  EXPECT_EQ(one.lapses(), start + hours{24});
  one.lapse();
  EXPECT_EQ(one.lapses(), mono_time::max());
  EXPECT_GT(one.due(), start + minutes{8});
}

TEST(FetchSchedule, OtherRulesFetchAtOnceAndKeepWhatIsThere) {
  fetch_schedule one(rules, start);
  one.begin(start);
  one.succeed({}, least);
  one.change({minutes{1}, minutes{2}}, start + seconds{5});
  EXPECT_EQ(one.due(), start + seconds{5});
  EXPECT_EQ(one.lapses(), start + minutes{2});
}

}  // namespace
}  // namespace rw::control
