#include "observe/time_text.h"

#include <gtest/gtest.h>

namespace rw::observe {
namespace {

using namespace std::chrono_literals;

constexpr wall_time moment{1'795'458'371s + 123'456'789ns};

TEST(TimeText, PrintsBothForms) {
  time_text text;
  EXPECT_EQ(text.rfc3339(moment), "2026-11-23T18:26:11.123456Z");
  EXPECT_EQ(text.combined(moment), "23/Nov/2026:18:26:11 +0000");
}

TEST(TimeText, KeepsUpWithTheClockEitherWay) {
  time_text text;
  EXPECT_EQ(text.rfc3339(moment + 1ms), "2026-11-23T18:26:11.124456Z");
  EXPECT_EQ(text.rfc3339(moment + 1s), "2026-11-23T18:26:12.123456Z");
  EXPECT_EQ(text.combined(moment + 24h), "24/Nov/2026:18:26:11 +0000");
  EXPECT_EQ(text.rfc3339(moment - 1h), "2026-11-23T17:26:11.123456Z");
  EXPECT_EQ(text.rfc3339(wall_time{}), "1970-01-01T00:00:00.000000Z");
}

}  // namespace
}  // namespace rw::observe
