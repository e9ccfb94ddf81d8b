#include "base/secret.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "base/random.h"

namespace rw {
namespace {

TEST(Secret, KeepsItsBytesWhenMoved) {
  random_init();
  secret one("hunter2");
  secret two(std::move(one));
  EXPECT_EQ(two.view(), "hunter2");
  secret three;
  three = std::move(two);
  EXPECT_EQ(three.view(), "hunter2");
  EXPECT_TRUE(secret{}.empty());
}

// In a process of its own, which has no capability that lifts the limit; 1 where there is room.
[[noreturn]] void look_with_limit(rlim_t bytes) {
  __user_cap_header_struct version{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) _exit(2);
  if (::syscall(SYS_capset, &version, none) != 0) _exit(3);
  _exit(secrets_can_be_locked() ? 1 : 0);
}

TEST(Secret, SaysWhetherThereIsRoomToLock) {
  EXPECT_EXIT(look_with_limit(0), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(look_with_limit(32 * 1024), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(look_with_limit(1024 * 1024), testing::ExitedWithCode(1), "");
}

TEST(Secret, ComparesWhole) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST(Random, Base62UsesTheWholeAlphabet) {
  const std::string text = random_base62(4096);
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 62U);
}

}  // namespace
}  // namespace rw
