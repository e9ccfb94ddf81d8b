#include "base/text.h"

#include <gtest/gtest.h>

namespace rw {
namespace {

TEST(Text, NumbersAreDigitsOnly) {
  EXPECT_EQ(parse_u64("0"), 0U);
  EXPECT_EQ(parse_u64("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "1_0"}) {
    EXPECT_FALSE(parse_u64(bad)) << bad;
  }
}

TEST(Text, TrimsOnlySpaceAndTab) {
  EXPECT_EQ(trim_ows(" \ta b\t "), "a b");
  EXPECT_EQ(trim_ows("\r\n"), "\r\n");
  EXPECT_EQ(trim_ows("  "), "");
}

TEST(Text, CutsUpToWhatEndsAWord) {
  std::string_view text = "a  b";
  EXPECT_EQ(cut(text, ' '), "a");
  EXPECT_EQ(cut(text, ' '), "");
  EXPECT_EQ(text, "b");
  EXPECT_EQ(cut(text, ' '), "b");
  EXPECT_EQ(text, "");
  EXPECT_EQ(cut(text, ' '), "");
}

TEST(Text, ComparesWithoutCase) {
  EXPECT_TRUE(iequals("Content-Length", "content-LENGTH"));
  EXPECT_FALSE(iequals("a", "ab"));
  EXPECT_FALSE(iequals("@", "`"));  // 0x40 and 0x60 differ in bit 5 alone and are not letters
}

TEST(Text, JsonEscapesAreAlwaysValidUtf8) {
  std::string out;
  append_json_escaped(out,
                      "a\"b\\c\n\x7f\x01"
                      "\xc3\xa9"
                      "\xff\xc0\x80\xed\xa0\x80");
  EXPECT_EQ(out,
            "a\\\"b\\\\c\\u000a\\u007f\\u0001\xc3\xa9\\u00ff\\u00c0\\u0080\\u00ed\\u00a0\\u0080");
}

}  // namespace
}  // namespace rw
