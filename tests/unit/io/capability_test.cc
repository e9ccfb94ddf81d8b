#include "io/capability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace rw::io {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string said(int os, const refusal_facts& facts) {
  return explain_refusal(error{.os = os}, facts);
}

TEST(Refusal, TheSwitchOfTheMachineIsNamed) {
  EXPECT_THAT(said(EPERM, {.disabled = "2", .group = "-1", .is_admin = true}),
              HasSubstr("kernel.io_uring_disabled = 2"));
}

TEST(Refusal, ThoseOutsideOfTheGroupLearnWhichItIs) {
  EXPECT_THAT(said(EPERM, {.disabled = "1", .group = "-1"}),
              HasSubstr("kernel.io_uring_group = -1"));
  EXPECT_THAT(said(EPERM, {.disabled = "1", .group = "991", .seccomp = 2}),
              HasSubstr("kernel.io_uring_group = 991"));
}

TEST(Refusal, TheGroupsMembersAreRefusedBySomethingElse) {
  const refusal_facts member{.disabled = "1", .group = "991", .in_group = true, .seccomp = 2};
  EXPECT_THAT(said(EPERM, member), HasSubstr("seccomp"));
  EXPECT_THAT(said(EPERM, member), Not(HasSubstr("io_uring_disabled")));
  EXPECT_THAT(said(EPERM, {.disabled = "1", .group = "-1", .is_admin = true, .seccomp = 2}),
              HasSubstr("seccomp"));
}

TEST(Refusal, TheSeccompModeIsTheOneFound) {
  EXPECT_THAT(said(EPERM, {.disabled = "0", .seccomp = 1}), HasSubstr("Seccomp: 1 "));
  EXPECT_THAT(said(EACCES, {.seccomp = 2}), HasSubstr("Seccomp: 2 "));
  EXPECT_THAT(said(EPERM, {.disabled = "0"}), Not(HasSubstr("Seccomp")));
}

TEST(Refusal, OtherReasonsAreToldByTheErrno) {
  EXPECT_THAT(said(ENOSYS, {.seccomp = 2}), HasSubstr("without io_uring"));
  EXPECT_THAT(said(ENOMEM, {.locked_bytes_max = 64U << 10U}), HasSubstr("is 64 KiB"));
  EXPECT_THAT(said(EINVAL, {}), HasSubstr("too old"));
}

TEST(Refusal, TheFactsAreThisProcesss) {
  const refusal_facts found = read_refusal_facts();
  EXPECT_GE(found.seccomp, 0);
  EXPECT_LE(found.seccomp, 2);
  EXPECT_GT(found.locked_bytes_max, 0U);
}

}  // namespace
}  // namespace rw::io
