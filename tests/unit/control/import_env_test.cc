#include "control/import_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

namespace rw::control {
namespace {

using testing::ElementsAre;

struct outcome {
  std::vector<std::string> settings;  // NAME=VALUE@LINE
  std::vector<std::string> notes;
};

outcome read(std::string_view text) {
  import_notes notes;
  outcome out;
  for (const env_setting& one : read_env(text, ".env", notes)) {
    out.settings.push_back(fmt::format("{}={}@{}", one.name, one.value, one.line));
  }
  for (const import_note& one : notes) out.notes.push_back(to_string(one));
  return out;
}

bool expands(std::string_view text) {
  import_notes notes;
  const auto all = read_env(text, ".env", notes);
  return all.size() == 1 && all.front().expandable;
}

TEST(ImportEnv, ReadsWhatComposeReads) {
  const outcome got = read(
      "\xef\xbb\xbf# comment\n\n  A=1\r\nexport B = two words  \nC=\"x # y\" # said\nD='a\"b'\n"
      "E=a#b #c\nF=\n_g9=#\nexport=1\nH=x");
  EXPECT_THAT(got.settings, ElementsAre("A=1@3", "B=two words@4", "C=x # y@5", "D=a\"b@6",
                                        "E=a#b@7", "F=@8", "_g9=@9", "export=1@10", "H=x@11"));
  EXPECT_TRUE(got.notes.empty());
}

TEST(ImportEnv, NothingIsEvaluated) {
  const outcome got =
      read("A=$(touch /tmp/x)\nB=`id`\nC=\"${HOME} \\n \\\"\nD=\"$(id)\\\\n\"\nE='$HOME'\nA=$A\n");
  EXPECT_THAT(got.settings, ElementsAre("A=$(touch /tmp/x)@1", "B=`id`@2", "C=${HOME} \\n \\@3",
                                        "D=$(id)\\\\n@4", "E=$HOME@5", "A=$A@6"));
}

TEST(ImportEnv, ANewlineBetweenQuotesStays) {
  const outcome got = read("A=\"one\r\ntwo\nB=3\"\nC='\n'\nD=4\n");
  EXPECT_THAT(got.settings, ElementsAre("A=one\r\ntwo\nB=3@1", "C=\n@4", "D=4@6"));
}

TEST(ImportEnv, AQuoteThatIsNotClosedTakesItsLineAlone) {
  const outcome got = read("A='open\nB=2\nC=\"also\nD=\"x\" y\nE=\"x\"#y\nF=6");
  EXPECT_THAT(got.settings, ElementsAre("B=2@2", "F=6@6"));
  EXPECT_THAT(got.notes,
              ElementsAre(".env:1: the quote is not closed; the line was left out",
                          ".env:3: something follows the closing quote; the line was left out",
                          ".env:4: something follows the closing quote; the line was left out",
                          ".env:5: something follows the closing quote; the line was left out"));
}

TEST(ImportEnv, WhatIsNoSettingIsLeftOutByLine) {
  const outcome got = read("A\n=1\n9A=1\nA-B=1\nA B=1\n\x1b[2J=1\nB=2\n");
  EXPECT_THAT(got.settings, ElementsAre("B=2@7"));
  EXPECT_EQ(got.notes.size(), 6U);
  EXPECT_EQ(got.notes.back(), ".env:6: this line is no NAME=VALUE and was left out");
  const outcome nul = read(std::string_view("A=a\0b\nB=2\n", 10));
  EXPECT_THAT(nul.settings, ElementsAre("B=2@2"));
  EXPECT_THAT(nul.notes, ElementsAre(".env:1: the value holds a NUL and was left out"));
}

TEST(ImportEnv, KnowsWhatOtherReadersWouldHaveExpanded) {
  for (const char* text : {"A=$B", "A=`b`", "A=\"$B\"", "A=\"a\\nb\""}) {
    EXPECT_TRUE(expands(text)) << text;
  }
  for (const char* text : {"A=b", "A='$B'", "A=a\\nb", "A='`\\'"}) EXPECT_FALSE(expands(text));
}

// Every prefix is read to its end, and what is found stands in it.
TEST(ImportEnv, AnyPrefixIsReadLiterally) {
  const std::string whole =
      "export A='1\n2'\r\nB=\"$(x) \\\" # c\nC=`y` # d\n\x80\xff=\nD=\"\n\"\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string text = whole.substr(0, size);
    import_notes notes;
    for (const env_setting& one : read_env(text, ".env", notes)) {
      EXPECT_TRUE(text.contains(one.value)) << size;
      EXPECT_GE(one.line, 1U);
    }
  }
}

TEST(ImportNote, IsOneLineThatATerminalDoesNotObey) {
  EXPECT_EQ(to_string({"a\n\x1b[2J", 3, "says"}), "a\\u000a\\u001b[2J:3: says");
  EXPECT_EQ(to_string({{}, 0, "says"}), "says");
  EXPECT_EQ(in_quotes("a\"b\\c\n\x7f\xff\xc3\xa9"), "\"a\\\"b\\\\c\\u000a\\u007f\\u00ff\xc3\xa9\"");
}

}  // namespace
}  // namespace rw::control
