#include "config/values.h"

#include <gtest/gtest.h>

namespace rw::config {
namespace {

using namespace std::chrono_literals;

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("1m"), 1min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("2d"), 48h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  for (const char* bad : {"", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5S", "5us", "1h30m", "0x5s",
                          "9223372036854775808ms", "106752d", " 5s", "5s "}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_TRUE(parse_duration("106751d"));  // the last that fits into 63 bits of nanoseconds
}

TEST(Seconds, AreWholeAndRoundedUp) {
  EXPECT_EQ(parse_seconds("90s"), 90U);
  EXPECT_EQ(parse_seconds("24h"), 86400U);
  EXPECT_EQ(parse_seconds("1001ms"), 2U);
  for (const char* none : {"", "0s", "-1s", "soon", "5"}) EXPECT_FALSE(parse_seconds(none)) << none;
}

TEST(Values, Sizes) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("512B"), 512U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("1MiB"), 1048576U);
  EXPECT_EQ(parse_size("2GiB"), 2147483648U);
  for (const char* bad : {"", "1", "KiB", "1kib", "1KB", "1 KiB", "-1KiB", "1.5MiB", "00",
                          "17179869184GiB", "18446744073709551616B"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(Values, Rates) {
  EXPECT_EQ(parse_rate("10/s")->count, 10U);
  EXPECT_EQ(parse_rate("10/s")->per, 1s);
  EXPECT_EQ(parse_rate("300/m")->per, 1min);
  EXPECT_EQ(parse_rate("5000/h")->per, 1h);
  for (const char* bad :
       {"", "10", "/s", "0/s", "10/", "10/d", "10/sec", "10 /s", "-1/s", "1.5/s"}) {
    EXPECT_FALSE(parse_rate(bad)) << bad;
  }
}

TEST(Values, AreWrittenInTheLargestUnitThatFits) {
  EXPECT_EQ(duration_text(0s), "0s");
  EXPECT_EQ(duration_text(1ms), "1ms");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(120min), "2h");
  EXPECT_EQ(duration_text(nanoseconds{7}), "7ns");
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(64), "64B");
  EXPECT_EQ(size_text(65536), "64KiB");
  EXPECT_EQ(size_text(1ULL << 34U), "16GiB");
}

}  // namespace
}  // namespace rw::config
