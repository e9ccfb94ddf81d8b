#include "control/machine_tree.h"

#include <gtest/gtest.h>

#include "fake_tree.h"

namespace rw::control {
namespace {

using cpus = std::vector<unsigned>;

TEST(MachineTree, ListsOfCpusAreRead) {
  EXPECT_EQ(parse_cpu_list("0-3,8"), (cpus{0, 1, 2, 3, 8}));
  EXPECT_EQ(parse_cpu_list("8,0-1,1"), (cpus{0, 1, 8}));
  EXPECT_EQ(parse_cpu_list(""), cpus{});
  for (const char* text : {"a", "0-", "-1", "3-1", "0-65536", "0,,2", "0 1"}) {
    EXPECT_EQ(parse_cpu_list(text), std::nullopt) << text;
  }
}

TEST(MachineTree, AndWritten) {
  EXPECT_EQ(cpu_list({0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(cpu_list({}), "");
  EXPECT_EQ(cpu_mask({0, 1}), "3");
  EXPECT_EQ(cpu_mask({0, 32}), "1,00000001");
  EXPECT_EQ(cpu_mask({95}), "80000000,00000000,00000000");
  EXPECT_EQ(cpu_mask({}), "0");
}

TEST(MachineTree, WhatIsNotThereIsEmpty) {
  const fake_tree files;
  files.put("/proc/b", "7\nmore\n");
  files.put("/proc/a", "x\n");
  const machine_tree at(files.root());
  EXPECT_EQ(at.line("/proc/b"), "7");
  EXPECT_EQ(at.number("/proc/b"), 7U);
  EXPECT_EQ(at.number("/proc/a"), std::nullopt);
  EXPECT_EQ(at.lines("/proc/b").size(), 2U);
  EXPECT_EQ(at.names("/proc"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(at.exists("/proc/a"));
  EXPECT_EQ(at.line("/none"), "");
  EXPECT_EQ(at.number("/none"), std::nullopt);
  EXPECT_TRUE(at.names("/none").empty());
  EXPECT_FALSE(at.exists("/none"));
}

}  // namespace
}  // namespace rw::control
