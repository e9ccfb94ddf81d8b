#include "observe/audit_fold.h"

#include <gtest/gtest.h>

namespace rw::observe {
namespace {

using namespace std::chrono_literals;

constexpr mono_time begin{1h};

refusal from(std::uint8_t last, const char* reason = "unknown_key") {
  refusal one;
  one.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last};
  one.reason = reason;
  return one;
}

refusal from_v6(std::uint8_t network, std::uint8_t host) {
  refusal one;
  one.ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host};
  one.reason = "unknown_key";
  return one;
}

struct swept {
  std::uint64_t count = 0;
  int records = 0;
};

swept sweep(audit_fold& fold, mono_time now, bool at_once = false) {
  swept got;
  fold.sweep(now, at_once, [&](const audit_fold::entry& one) {
    got.count += one.count;
    ++got.records;
    return true;
  });
  return got;
}

int singles(audit_fold& fold, const refusal& one, int times, mono_time now = begin) {
  int single = 0;
  for (int i = 0; i < times; ++i) single += fold.add(one, now, {}) ? 0 : 1;
  return single;
}

TEST(AuditFold, TheFirstFiveHaveARecordEachAndTheRestOneTogether) {
  audit_fold fold(1);
  EXPECT_EQ(singles(fold, from(1), 100), 5);
  EXPECT_EQ(sweep(fold, begin + 9s).records, 0);
  const swept got = sweep(fold, begin + 10s);
  EXPECT_EQ(got.records, 1);
  EXPECT_EQ(got.count, 95U);
  EXPECT_EQ(sweep(fold, begin + 20s).records, 0);
}

TEST(AuditFold, WhoGoesOnHasNoSingleRecordsUntilAWindowWithoutAny) {
  audit_fold fold(1);
  EXPECT_EQ(singles(fold, from(1), 10), 5);
  sweep(fold, begin + 10s);
  EXPECT_EQ(singles(fold, from(1), 10, begin + 11s), 0);
  EXPECT_EQ(sweep(fold, begin + 20s).count, 10U);
  sweep(fold, begin + 30s);
  EXPECT_TRUE(fold.empty());
  EXPECT_EQ(singles(fold, from(1), 10, begin + 31s), 5);
}

TEST(AuditFold, ClientsReasonsAndIdentitiesAreApart) {
  audit_fold fold(1);
  EXPECT_EQ(singles(fold, from(1), 6), 5);
  EXPECT_EQ(singles(fold, from(2), 6), 5);
  EXPECT_EQ(singles(fold, from(1, "expired"), 6), 5);
  refusal named = from(1);
  named.identity = "alice";
  EXPECT_EQ(singles(fold, named, 6), 5);
  EXPECT_EQ(sweep(fold, begin + 10s).records, 4);
}

TEST(AuditFold, AnIpv6NetworkIsOneClient) {
  audit_fold fold(1);
  EXPECT_EQ(singles(fold, from_v6(1, 1), 3) + singles(fold, from_v6(1, 2), 3), 5);
  EXPECT_EQ(singles(fold, from_v6(2, 1), 3), 3);
}

TEST(AuditFold, MoreClientsThanItHoldsAreCountedTogether) {
  audit_fold fold(1);
  int single = 0;
  for (int i = 0; i < 100'000; ++i) {
    refusal one = from_v6(0, 0);
    one.ip[5] = static_cast<std::uint8_t>(i >> 16);
    one.ip[6] = static_cast<std::uint8_t>(i >> 8);
    one.ip[7] = static_cast<std::uint8_t>(i);
    single += fold.add(one, begin, {}) ? 0 : 1;
  }
  EXPECT_LE(single, static_cast<int>(audit_fold::entries_max));
  const swept got = sweep(fold, begin + 10s);
  EXPECT_EQ(got.count + static_cast<std::uint64_t>(single), 100'000U);
  EXPECT_EQ(got.records, 1);
}

TEST(AuditFold, OneClientCannotTakeTheOthersPlaces) {
  audit_fold fold(1);
  const std::array<const char*, 20> reasons = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                               "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
  int single = 0;
  for (const char* one : reasons) single += singles(fold, from(1, one), 1);
  EXPECT_EQ(single, static_cast<int>(audit_fold::entries_per_client));
}

TEST(AuditFold, WhatWasFoldedOfAClientComesBeforeItsSuccess) {
  audit_fold fold(1);
  singles(fold, from(1), 8);
  singles(fold, from(2), 8);
  std::uint64_t flushed = 0;
  fold.flush(from(1), [&](const audit_fold::entry& one) {
    flushed += one.count;
    return true;
  });
  EXPECT_EQ(flushed, 3U);
  EXPECT_EQ(sweep(fold, begin, true).count, 3U);
}

TEST(AuditFold, WhatFindsNoRoomIsKept) {
  audit_fold fold(1);
  singles(fold, from(1), 8);
  fold.sweep(begin + 10s, false, [](const audit_fold::entry&) { return false; });
  EXPECT_EQ(sweep(fold, begin + 10s).count, 3U);
}

}  // namespace
}  // namespace rw::observe
