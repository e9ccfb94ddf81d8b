#include "limit/headers.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

std::string policy(const std::vector<field_item>& items) {
  std::vector<char> out(items.size() * field_item_bytes_max);
  return {out.data(), write_policy(items, out)};
}

std::string state(const std::vector<field_item>& items) {
  std::vector<char> out(items.size() * field_item_bytes_max);
  return {out.data(), write_state(items, out)};
}

std::string retry_after(nanoseconds wait) {
  std::array<char, retry_after_bytes_max> out;
  return {out.data(), write_retry_after(wait, out)};
}

const field_item per_ip{.name = "per-ip",
                        .pace = make_pace({.count = 10, .per = 1s}, 20),
                        .decision = {.limit = 20, .remaining = 5, .reset = 100ms}};
const field_item per_key{.name = "per-key",
                         .pace = make_pace({.count = 100, .per = 60s}, 100),
                         .decision = {.limit = 100, .remaining = 0, .reset = 600ms}};

TEST(Headers, SayThePolicyAndTheState) {
  EXPECT_EQ(policy({per_ip}), R"("per-ip";q=20;w=2)");
  EXPECT_EQ(state({per_ip}), R"("per-ip";r=5;t=1)");
}

TEST(Headers, ListSeveralLimits) {
  EXPECT_EQ(policy({per_ip, per_key}), R"("per-ip";q=20;w=2, "per-key";q=100;w=60)");
  EXPECT_EQ(state({per_ip, per_key}), R"("per-ip";r=5;t=1, "per-key";r=0;t=1)");
  EXPECT_EQ(policy({}), "");
}

TEST(Headers, WindowsAreWholeSecondsRoundedUp) {
  field_item odd = per_ip;
  odd.pace = make_pace({.count = 3, .per = 1s}, 4);  // 1.333... s
  EXPECT_EQ(policy({odd}), R"("per-ip";q=4;w=2)");
  odd.pace = make_pace({.count = 1000, .per = 1s}, 1);  // 1 ms
  EXPECT_EQ(policy({odd}), R"("per-ip";q=1;w=1)");
}

TEST(Headers, NamesAreStructuredFieldsStrings) {
  field_item odd = per_ip;
  odd.name = "a\"b\\c\xc3\xa9\n";
  EXPECT_EQ(state({odd}), R"("a\"b\\c???";r=5;t=1)");
  const std::string longest(500, '"');
  odd.name = longest;
  odd.decision.remaining = UINT64_MAX;
  odd.decision.reset = nanoseconds::max();
  const std::string text = state({odd, odd});
  EXPECT_LE(text.size(), 2 * field_item_bytes_max);
  EXPECT_NE(text.find(";r=999999999999999;t=9223372037"), std::string::npos);
}

TEST(Headers, RetryAfterIsNeverEarlierThanTheBudget) {
  EXPECT_EQ(retry_after(0ns), "1");
  EXPECT_EQ(retry_after(1ns), "1");
  EXPECT_EQ(retry_after(1s), "1");
  EXPECT_EQ(retry_after(1s + 1ns), "2");
  EXPECT_EQ(retry_after(-5s), "1");
  EXPECT_EQ(retry_after(nanoseconds::max()), "9223372037");
}

}  // namespace
}  // namespace rw::limit
