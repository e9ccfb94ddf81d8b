#include "control/tune.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fake_tree.h"

namespace rw::control {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* somaxconn = "/proc/sys/net/core/somaxconn";
constexpr const char* migrate = "/proc/sys/net/ipv4/tcp_migrate_req";
constexpr const char* rmem = "/proc/sys/net/ipv4/tcp_rmem";
constexpr const char* memory_file = "/var/lib/ringward/tune-before";
constexpr const char* boot_file = "/etc/sysctl.d/ringward-tune.conf";

tune_profile profile(std::string_view text) {
  auto made = parse_profile(text, "profile");
  EXPECT_TRUE(made);
  tune_profile out = made ? *made : tune_profile{};
  if (out.name.empty()) out.name = "test";
  return out;
}

std::vector<std::string> failures(const std::vector<told>& lines) {
  std::vector<std::string> all;
  for (const told& one : lines) {
    if (one.failed) all.push_back(one.text);
  }
  return all;
}

class Tune : public testing::Test {
 protected:
  Tune() : tuner_({.root = tree_.root()}) {
    tree_.put(somaxconn, "128\n");
    tree_.put(migrate, "0\n");
    tree_.put(rmem, "4096\t131072\t6291456\n");
  }
  std::string named(const char* path) const { return tree_.root() + path; }

  fake_tree tree_;
  tuner tuner_;
  tune_profile all_ = profile(
      "net.core.somaxconn = 4096\nnet.ipv4.tcp_migrate_req = 1\n"
      "net.ipv4.tcp_rmem = 4096 131072 33554432\n");
};

TEST_F(Tune, DriftIsWhatDiffers) {
  tree_.put(migrate, "1\n");
  const std::vector<drift> got = tuner_.compare(all_);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_FALSE(got[0].in_order());
  EXPECT_EQ(got[0].is, "128");
  EXPECT_EQ(got[0].wanted, "4096");
  EXPECT_TRUE(got[1].in_order());
  EXPECT_FALSE(got[2].in_order());
}

TEST_F(Tune, AFloorIsNotLowered) {
  EXPECT_EQ(no_less("5", "4"), "5");
  EXPECT_EQ(no_less("4096 16384 4194304", "4096 65536 33554432"), "4096 65536 33554432");
  EXPECT_EQ(no_less("8192 16384 4194304", "4096 65536 33554432"), "8192 65536 33554432");
  EXPECT_EQ(no_less("9223372036854775807", "3145728"), "9223372036854775807");
  EXPECT_EQ(no_less("1 2", "3"), "3");
  EXPECT_EQ(no_less("cubic", "3"), "3");
  EXPECT_EQ(no_less("3", "cubic"), "cubic");
  EXPECT_EQ(no_less("99999999999999999999", "3"), "3") << "no number that we can read";
  tree_.put(somaxconn, "65535\n");
  const tune_profile floor = profile("#: at least\nnet.core.somaxconn = 4096\n");
  EXPECT_TRUE(tuner_.compare(floor).at(0).in_order());
  EXPECT_THAT(failures(tuner_.apply(floor)), IsEmpty());
  EXPECT_EQ(tree_.text(somaxconn), "65535\n");
  EXPECT_THAT(tree_.text(boot_file), HasSubstr("\nnet.core.somaxconn = 65535\n"));
}

TEST_F(Tune, AMissingOneIsDriftUnlessItMayBe) {
  const std::vector<drift> got =
      tuner_.compare(profile("net.none = 1\n-net.neither = 1\n-net.core.somaxconn = 1\n"));
  EXPECT_FALSE(got[0].in_order());
  EXPECT_EQ(got[0].refused, ENOENT);
  EXPECT_TRUE(got[1].in_order());
  EXPECT_FALSE(got[2].in_order()) << "it is there, and otherwise";
}

TEST_F(Tune, WhatIsAppliedIsPutBack) {
  EXPECT_THAT(failures(tuner_.apply(all_)), IsEmpty());
  EXPECT_EQ(tree_.text(somaxconn), "4096\n");
  EXPECT_EQ(tree_.text(rmem), "4096 131072 33554432\n");
  EXPECT_EQ(tree_.mode(memory_file), 0600U);
  EXPECT_EQ(tree_.mode(boot_file), 0644U);
  EXPECT_THAT(tree_.text(boot_file), HasSubstr("\nnet.ipv4.tcp_migrate_req = 1\n"));
  for (const drift& one : tuner_.compare(all_)) EXPECT_TRUE(one.in_order()) << one.setting.name;

  EXPECT_THAT(failures(tuner_.revert()), IsEmpty());
  EXPECT_EQ(tree_.text(somaxconn), "128\n");
  EXPECT_EQ(tree_.text(migrate), "0\n");
  EXPECT_EQ(tree_.text(rmem), "4096 131072 6291456\n");
  EXPECT_FALSE(tree_.has(memory_file));
  EXPECT_FALSE(tree_.has(boot_file));
}

TEST_F(Tune, TheFirstMemoryIsTheOneThatStays) {
  tuner_.apply(all_);
  tuner_.apply(all_);
  tuner_.apply(
      profile("net.core.somaxconn = 1000\nnet.ipv4.tcp_migrate_req = 1\n"
              "net.ipv4.tcp_rmem = 4096 131072 33554432\n"));
  EXPECT_EQ(tree_.text(somaxconn), "1000\n");
  tuner_.revert();
  EXPECT_EQ(tree_.text(somaxconn), "128\n");
}

// Else the next boot, which knows the last profile only, would be another machine.
TEST_F(Tune, AnotherProfilePutsBackWhatItDoesNotHave) {
  tuner_.apply(all_);
  EXPECT_THAT(failures(tuner_.apply(profile("#: profile other\nnet.core.somaxconn = 512\n"))),
              IsEmpty());
  EXPECT_EQ(tree_.text(somaxconn), "512\n");
  EXPECT_EQ(tree_.text(migrate), "0\n");
  EXPECT_EQ(tree_.text(boot_file).find("migrate"), std::string::npos);
  const auto memory = tuner_.memory();
  ASSERT_TRUE(memory && *memory);
  EXPECT_EQ((*memory)->name, "other");
  ASSERT_EQ((*memory)->settings.size(), 1U);
  EXPECT_EQ((*memory)->settings[0].value, "128");
}

// As in a container: one that is not there, one that may not be written.
TEST_F(Tune, WhatCannotBeDoneIsToldAndTheRestIsDone) {
  tree_.link("/proc/sys/net/core/rmem_max", "/proc/sys/kernel/osrelease");
  const tune_profile some =
      profile("net.none = 1\nnet.core.rmem_max = 7\nnet.core.somaxconn = 4096\n");
  const std::vector<std::string> wrong = failures(tuner_.apply(some));
  ASSERT_EQ(wrong.size(), 2U);
  EXPECT_THAT(wrong[0], HasSubstr("net.core.rmem_max: cannot be set to 7: "));
  EXPECT_THAT(wrong[1], HasSubstr("net.none: this kernel, or this network namespace, has no such"));
  EXPECT_EQ(tree_.text(somaxconn), "4096\n");
  const std::string boot = tree_.text(boot_file);
  EXPECT_THAT(boot, HasSubstr("\nnet.core.somaxconn = 4096\n"));
  EXPECT_EQ(boot.find("rmem_max"), std::string::npos) << boot;
  EXPECT_EQ(boot.find("none"), std::string::npos) << boot;

  EXPECT_THAT(failures(tuner_.revert()), IsEmpty());
  EXPECT_EQ(tree_.text(somaxconn), "128\n");
  EXPECT_FALSE(tree_.has(memory_file));
}

TEST_F(Tune, WhatTheKernelMakesOfAValueIsLookedAt) {
  tree_.link("/proc/sys/net/odd", "/dev/null");
  const std::vector<std::string> wrong = failures(tuner_.apply(profile("net.odd = 7\n")));
  ASSERT_EQ(wrong.size(), 1U);
  EXPECT_EQ(wrong[0], "net.odd: the kernel made \"\" of 7");
}

TEST_F(Tune, WhatCannotBePutBackStaysRemembered) {
  tuner_.apply(all_);
  tree_.drop(migrate);
  tree_.link(migrate, "/proc/sys/kernel/osrelease");
  EXPECT_EQ(failures(tuner_.revert()).size(), 1U);
  EXPECT_EQ(tree_.text(somaxconn), "128\n");
  EXPECT_FALSE(tree_.has(boot_file)) << "the next boot is without it";
  const auto memory = tuner_.memory();
  ASSERT_TRUE(memory && *memory);
  ASSERT_EQ((*memory)->settings.size(), 1U);
  EXPECT_EQ((*memory)->settings[0].name, "net.ipv4.tcp_migrate_req");
  tree_.drop(migrate);
  tree_.put(migrate, "1\n");
  EXPECT_THAT(failures(tuner_.revert()), IsEmpty());
  EXPECT_EQ(tree_.text(migrate), "0\n");
}

TEST_F(Tune, NothingIsChangedThatCannotBeRemembered) {
  tree_.put("/var/lib", "a file where a directory should be");
  EXPECT_EQ(failures(tuner_.apply(all_)).size(), 1U);
  EXPECT_EQ(tree_.text(somaxconn), "128\n");
  EXPECT_FALSE(tree_.has(boot_file));
}

// The directory is the service's: what it plants there must not become root's settings.
TEST_F(Tune, AMemoryThatOthersCouldHaveWrittenIsNotBelieved) {
  tuner_.apply(all_);
  tree_.put(memory_file, "net.core.somaxconn = 1\n");
  ASSERT_EQ(::chmod(named(memory_file).c_str(), 0666), 0);
  const std::vector<std::string> wrong = failures(tuner_.revert());
  ASSERT_EQ(wrong.size(), 1U);
  EXPECT_THAT(wrong[0], HasSubstr("others may write to the file"));
  EXPECT_EQ(failures(tuner_.apply(all_)).size(), 1U);
  EXPECT_EQ(tree_.text(somaxconn), "4096\n");
}

TEST_F(Tune, ADamagedMemoryIsNotOverwritten) {
  tuner_.apply(all_);
  tree_.put(memory_file, "net.core.somaxconn\n");
  EXPECT_THAT(failures(tuner_.apply(all_)), Contains(HasSubstr("tune-before:1:1: error: ")));
  EXPECT_EQ(tree_.text(memory_file), "net.core.somaxconn\n");
}

TEST_F(Tune, SomebodyElsesFileIsLeftAlone) {
  tree_.put(boot_file, "net.core.somaxconn = 1\n");
  EXPECT_THAT(failures(tuner_.apply(all_)), Contains(HasSubstr("somebody else's file")));
  EXPECT_EQ(tree_.text(boot_file), "net.core.somaxconn = 1\n");
  EXPECT_EQ(tree_.text(somaxconn), "4096\n");
  tuner_.revert();
  EXPECT_EQ(tree_.text(boot_file), "net.core.somaxconn = 1\n");
  EXPECT_EQ(tree_.text(somaxconn), "128\n");
}

TEST_F(Tune, TwoAtOnceExcludeEachOther) {
  tuner_.apply(all_);
  const int fd = ::open(named("/var/lib/ringward").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);
  EXPECT_THAT(failures(tuner_.revert()), Contains(HasSubstr("another `ringward tune` is at it")));
  EXPECT_THAT(failures(tuner_.apply(all_)), Contains(HasSubstr("another `ringward tune`")));
  EXPECT_EQ(tree_.text(somaxconn), "4096\n");
  ::close(fd);
  EXPECT_THAT(failures(tuner_.revert()), IsEmpty());
}

TEST_F(Tune, RevertingNothingIsNoFailure) {
  const std::vector<told> lines = tuner_.revert();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_FALSE(lines[0].failed);
  EXPECT_THAT(lines[0].text, HasSubstr("nothing to put back"));
  EXPECT_FALSE(tree_.has("/var/lib/ringward"));
}

TEST_F(Tune, AnEmptyValueIsAValue) {
  const char* reserved = "/proc/sys/net/ipv4/ip_local_reserved_ports";
  tree_.put(reserved, "\n");
  tuner_.apply(profile("net.ipv4.ip_local_reserved_ports = 9180\n"));
  EXPECT_EQ(tree_.text(reserved), "9180\n");
  tuner_.revert();
  EXPECT_EQ(tree_.text(reserved), "\n");
}

}  // namespace
}  // namespace rw::control
