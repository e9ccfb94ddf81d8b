#include "control/tune_profile.h"

#include <gtest/gtest.h>

#include "fake_tree.h"

namespace rw::control {
namespace {

tune_profile good(std::string_view text) {
  auto made = parse_profile(text, "file");
  EXPECT_TRUE(made) << (made ? "" : config::to_string(made.error().front()));
  return made ? *made : tune_profile{};
}

// The first thing that is wrong with a profile of this text.
std::string wrong(std::string_view text) {
  const auto made = parse_profile(text, "file");
  return made ? "nothing" : config::to_string(made.error().front());
}

TEST(TuneProfile, IsWhatSysctlTakes) {
  const tune_profile made = good(
      "# a comment\n; another\n\n"
      "net.core.somaxconn=4096\r\n"
      "  net/ipv4/tcp_rmem =  4096\t131072   6291456  \n"
      "-net.netfilter.nf_conntrack_max = 1\n"
      "net.ipv4.ip_local_reserved_ports =");
  ASSERT_EQ(made.settings.size(), 4U);
  EXPECT_EQ(made.settings[0].name, "net.core.somaxconn");
  EXPECT_EQ(made.settings[0].value, "4096");
  EXPECT_FALSE(made.settings[0].optional);
  EXPECT_FALSE(made.settings[0].at_least);
  EXPECT_EQ(made.settings[1].path, "net/ipv4/tcp_rmem");
  EXPECT_EQ(made.settings[1].value, "4096 131072 6291456");
  EXPECT_TRUE(made.settings[2].optional);
  EXPECT_EQ(made.settings[2].name, "net.netfilter.nf_conntrack_max");
  EXPECT_EQ(made.settings[3].value, "");
  EXPECT_EQ(made.clients, 65536U);
  EXPECT_TRUE(good("").settings.empty());
}

TEST(TuneProfile, CommentsForUsAreHeard) {
  const tune_profile made =
      good("#: profile mine\n#: clients 1000000\n#: at least\n# between\na.b = 1\na.c = 2\n");
  EXPECT_EQ(made.name, "mine");
  EXPECT_EQ(made.clients, 1000000U);
  ASSERT_EQ(made.settings.size(), 2U);
  EXPECT_TRUE(made.settings[0].at_least);
  EXPECT_FALSE(made.settings[1].at_least) << "it is for the one that comes next";
}

TEST(TuneProfile, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_EQ(wrong("a.b = 1\nnonsense\n"), "file:2:1: error: a setting is NAME = VALUE");
  EXPECT_EQ(wrong("\n\nnet..x = 1"),
            "file:3:1: error: \"net..x\" is no parameter's name; wildcards are not supported");
  EXPECT_EQ(wrong("net.ipv4.conf.*.rp_filter = 1"),
            "file:1:1: error: \"net.ipv4.conf.*.rp_filter\" is no parameter's name; wildcards are "
            "not supported");
  EXPECT_EQ(wrong("a.b = 1\na/b = 2"), "file:2:1: error: a/b is set in line 1 already");
  for (const char* line : {"#: at most", "#: clients", "#: clients 0", "#: clients x", "#: profile",
                           "#: profile a b", "#:"}) {
    EXPECT_EQ(wrong(line),
              "file:1:1: error: after \"#:\" comes \"at least\", \"clients NUMBER\" or \"profile "
              "NAME\"")
        << line;
  }
  EXPECT_EQ(wrong("a.b = 1\n#: at least\n"),
            "file:2:1: error: \"at least\" is followed by no setting");
}

TEST(TuneProfile, HasABound) {
  std::string text;
  for (std::size_t i = 0; i < profile_settings_max; ++i)
    text += "a.x" + std::to_string(i) + " = 1\n";
  EXPECT_EQ(good(text).settings.size(), profile_settings_max);
  EXPECT_EQ(wrong(text + "a.y = 1\n"), "file:513:1: error: a profile has at most 512 settings");
  const fake_tree tree;
  tree.put("/long.conf", std::string(profile_bytes_max + 1, '#'));
  const auto made = read_profile(tree.root() + "/long.conf", "");
  ASSERT_FALSE(made);
  EXPECT_NE(config::to_string(made.error().front()).find("too long"), std::string::npos);
}

TEST(TuneProfile, IsFoundByNameOrPath) {
  const fake_tree tree;
  tree.put("/ringward-latency.conf", "a.b = 1\n");
  tree.put("/ringward-odd name.conf", "a.b = 2\n");
  tree.put("/own.conf", "a.b = 3\n");
  tree.put("/ringward-.conf", "");
  EXPECT_EQ(list_profiles(tree.root()), (std::vector<std::string>{"latency", "odd name"}));
  EXPECT_TRUE(list_profiles(tree.root() + "/none").empty());
  const auto named = read_profile("latency", tree.root());
  ASSERT_TRUE(named);
  EXPECT_EQ(named->name, "latency");
  EXPECT_EQ(named->settings.at(0).value, "1");
  const auto path = read_profile(tree.root() + "/own.conf", "/none");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->name, "own");
  // It has to go into a file of lines.
  EXPECT_EQ(read_profile(tree.root() + "/ringward-odd name.conf", "")->name, "odd-name");
}

TEST(TuneProfile, OneThatIsNotThereHasANeighbour) {
  const fake_tree tree;
  tree.put("/ringward-latency.conf", "a.b = 1\n");
  const auto made = read_profile("latancy", tree.root());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().front().text, "no such profile; did you mean \"latency\"?");
  const auto none = read_profile("latency", tree.root() + "/none");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().front().text,
            "no such profile; there is none in that directory: give a path");
  const auto path = read_profile("./none.conf", tree.root());
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().front().text, "No such file or directory");
}

}  // namespace
}  // namespace rw::control
