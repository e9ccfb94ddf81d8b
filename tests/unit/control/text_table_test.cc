#include "control/text_table.h"

#include <gtest/gtest.h>

namespace rw::control {
namespace {

TEST(TextTable, ColumnsAreAsWideAsWhatIsInThem) {
  EXPECT_EQ(align({{"NAME", "N"}, {"a", "1"}, {"long name", "200"}}, 1),
            "NAME         N\na            1\nlong name  200\n");
}

TEST(TextTable, NumbersHaveUnits) {
  EXPECT_EQ(age_text(std::chrono::seconds{90}), "90s");
  EXPECT_EQ(age_text(std::chrono::hours{3}), "3h");
  EXPECT_EQ(duration_text(1'200'000), "1.2ms");
  EXPECT_EQ(bytes_text(1023), "1023");
  EXPECT_EQ(bytes_text(1536), "1.5K");
  EXPECT_EQ(bytes_text(20U << 20U), "20M");
}

}  // namespace
}  // namespace rw::control
