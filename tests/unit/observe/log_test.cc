#include "observe/log.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::observe {
namespace {

std::string said(const log& messages, level one, std::string_view text) {
  testing::internal::CaptureStderr();
  messages.write(one, text);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesOneLine) {
  EXPECT_EQ(said(log{}, level::warning, "the disk is full"),
            "ringward: warning: the disk is full\n");
}

TEST(Log, KeepsControlCharactersOut) {
  EXPECT_EQ(said(log{}, level::error, "a\nb\x1b[31mc\x7f\xc3\xa9"),
            "ringward: error: a b [31mc \xc3\xa9\n");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  log messages(level::warning);
  EXPECT_EQ(said(messages, level::info, "x"), "");
  EXPECT_EQ(said(messages, level::error, "x"), "ringward: error: x\n");
  messages.set_level(level::debug);
  EXPECT_EQ(said(messages, level::debug, "x"), "ringward: debug: x\n");
}

TEST(Log, LevelsHaveTheNamesOfTheConfiguration) {
  for (const level one : {level::error, level::warning, level::info, level::debug}) {
    EXPECT_EQ(level_named(name_of(one)), one);
  }
  EXPECT_EQ(name_of(level::warning), "warning");
  for (const char* nothing : {"", "Info", "debugging", "warn"}) {
    EXPECT_EQ(level_named(nothing), std::nullopt) << nothing;
  }
}

}  // namespace
}  // namespace rw::observe
