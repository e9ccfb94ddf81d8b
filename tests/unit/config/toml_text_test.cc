#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/document.h"
#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;

place place_of(const members& table, std::string_view name) {
  const member* one = find(table, name);
  EXPECT_NE(one, nullptr) << name;
  return one == nullptr ? place{} : one->value.at;
}

TEST(TomlText, PlacesAreLinesAndOctets) {
  report out;
  const std::uint32_t file = out.add_file("t");
  const members root =
      parse_toml("\xef\xbb\xbfone = 1\r\n\"\xc3\xa9\" = 2\n x = \"\xe2\x82\xac\" # x\n", file, out);
  EXPECT_FALSE(out.has_error());
  EXPECT_EQ(place_of(root, "one").line, 1U);
  EXPECT_EQ(place_of(root, "one").column, 7U);
  EXPECT_EQ(place_of(root, "\xc3\xa9").line, 2U);
  EXPECT_EQ(place_of(root, "\xc3\xa9").column, 8U);  // "é" is two octets
  EXPECT_EQ(place_of(root, "x").column, 6U);
}

TEST(TomlText, SyntaxErrorsNameTheirPlace) {
  EXPECT_THAT(complaints("[server]\nworkers = = 1\n"),
              ElementsAre(::testing::StartsWith("t:2:11: error: ")));
  EXPECT_THAT(complaints("[server]\nworkers = 1\nworkers = 2\n"),
              ElementsAre(::testing::StartsWith("t:3:")));
}

TEST(TomlText, SyntaxErrorsDoNotRepeatValues) {
  for (const char* text :
       {"key = 8675309hunter2", "key = \"hunter2", "key = hunter2", "key = { file = hunter2 }",
        "key = \"hunter2\\q\"", "key = 'hunter2' x", "key = 0xhunter2", "key = 1979-hunter2",
        "key = 86753098675309867530986753098675309", "key = \"hunter2\n\"", "key = [hunter2]"}) {
    for (const std::string& line : complaints(text)) {
      EXPECT_FALSE(line.contains("hunter2") || line.contains("8675309")) << line;
    }
  }
}

// toml++ 3.3 takes both for impossible.
TEST(TomlText, TheParsersOwnSlipsAreErrors) {
  EXPECT_THAT(complaints("[("), ElementsAre(::testing::StartsWith("t:1:2: error: ")));
  EXPECT_THAT(complaints("\xc8\x9d = 1"), ElementsAre(::testing::StartsWith("t:1:1: error: ")));
  EXPECT_THAT(
      complaints("a = \"\"\"\\\n \xc8\x9d\"\"\""),
      ElementsAre(::testing::HasSubstr("nothing to do"), ::testing::HasSubstr("unknown key")));
}

TEST(TomlText, DepthIsBounded) {
  std::string dotted;
  for (int i = 0; i < 100000; ++i) dotted += "a.";
  EXPECT_THAT(complaints("[server]\n" + dotted + "a = 1"),
              ElementsAre("t:2:32: error: a dotted key of too many parts"));
  EXPECT_THAT(complaints("[" + dotted + "a]"),
              ElementsAre("t:1:33: error: a dotted key of too many parts"));
  const std::string brackets(100000, '[');
  EXPECT_THAT(complaints("a = " + brackets), ElementsAre(::testing::HasSubstr("nested too deep")));
  // Dots that are no part of a key.
  const std::string dots(1000, '.');
  for (const std::string& text :
       {"[server]\nstate = \"/" + dots + "\"", "[server]\nstate = '/" + dots + "'", "# " + dots,
        "[server]\nstate = \"\"\"/\\\"" + dots + "\"\"\"\"\"",
        "[server]\nstate = '''/\n" + dots + "'''"}) {
    for (const std::string& line : complaints(text))
      EXPECT_FALSE(line.contains("too many")) << line;
  }
}

TEST(TomlText, ControlCharactersInNamesDoNotReachATerminal) {
  EXPECT_THAT(after_listener("\"a\\u001b[2J\" = 1\n"),
              ElementsAre(::testing::HasSubstr("listener.a\\x1b[2J: unknown key")));
}

}  // namespace
}  // namespace rw::config
