#include "control/sysctl.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "fake_tree.h"

namespace rw::control {
namespace {

TEST(Sysctl, NamesArePathsWithWhicheverSeparatorComesFirst) {
  EXPECT_EQ(sysctl_path("net.ipv4.tcp_rmem"), "net/ipv4/tcp_rmem");
  EXPECT_EQ(sysctl_path("net/ipv4/tcp_rmem"), "net/ipv4/tcp_rmem");
  EXPECT_EQ(sysctl_path("net.ipv4.conf.eth0/100.forwarding"), "net/ipv4/conf/eth0.100/forwarding");
  EXPECT_EQ(sysctl_path("net/ipv4/conf/eth0.100/forwarding"), "net/ipv4/conf/eth0.100/forwarding");
  EXPECT_EQ(sysctl_path("one"), "one");
}

TEST(Sysctl, NothingLeadsOutOfTheTree) {
  for (const char* name :
       {"", ".", "/", "..", "net..x", "net.", ".net", "/net", "net/../../etc", "net/./x", "../etc",
        "net.//.x", "net.ipv4.conf.*.rp_filter", "net.ipv4.[x]", "a b", "a\tb", "a=b"}) {
    EXPECT_EQ(sysctl_path(name), std::nullopt) << name;
  }
}

TEST(Sysctl, ValuesAreComparedWithoutTheirSpaces) {
  EXPECT_EQ(normal_value("4096\t16384\t4194304\n"), "4096 16384 4194304");
  EXPECT_EQ(normal_value("  1 \r\n"), "1");
  EXPECT_EQ(normal_value("\n"), "");
}

TEST(Sysctl, WhatIsWrittenIsRead) {
  const fake_tree tree;
  tree.put("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
  const sysctl_tree kernel(tree.root());
  EXPECT_EQ(kernel.read("net/ipv4/tcp_rmem").value_or("-"), "4096 131072 6291456");
  EXPECT_TRUE(kernel.write("net/ipv4/tcp_rmem", "1 2 3"));
  EXPECT_EQ(tree.text("/proc/sys/net/ipv4/tcp_rmem"), "1 2 3\n");
}

TEST(Sysctl, AParameterThatIsNotThereIsNotMade) {
  const fake_tree tree;
  tree.put("/proc/sys/net/core/somaxconn", "4096\n");
  const sysctl_tree kernel(tree.root());
  const result<std::string> read = kernel.read("net/core/none");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().os, ENOENT);
  const result<> written = kernel.write("net/core/none", "1");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().os, ENOENT);
  EXPECT_FALSE(tree.has("/proc/sys/net/core/none"));
}

// One of the kernel's own that nobody may write, root included.
TEST(Sysctl, TheKernelsRefusalIsHandedOn) {
  const sysctl_tree kernel("");
  ASSERT_TRUE(kernel.read("kernel/osrelease"));
  const result<> written = kernel.write("kernel/osrelease", "7.0");
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().os == EACCES || written.error().os == EROFS) << written.error().os;
}

}  // namespace
}  // namespace rw::control
