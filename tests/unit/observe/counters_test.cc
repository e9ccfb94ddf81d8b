#include "observe/counters.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>

namespace rw::observe {
namespace {

using namespace std::chrono_literals;

std::size_t bucket_of(nanoseconds took) {
  histogram one;
  one.record(took);
  for (std::size_t i = 0; i < histogram::buckets; ++i) {
    if (one.in_bucket(i) == 1) return i;
  }
  return histogram::buckets;
}

TEST(Histogram, BoundsAreInclusive) {
  EXPECT_EQ(bucket_of(0ns), 0U);
  EXPECT_EQ(bucket_of(-1s), 0U);
  nanoseconds bound = std::chrono::microseconds(histogram::first_bound_us);
  for (std::size_t i = 0; i + 1 < histogram::buckets; ++i, bound *= 2) {
    EXPECT_EQ(bucket_of(bound), i);
    EXPECT_EQ(bucket_of(bound + 1ns), i + 1);
  }
  EXPECT_EQ(bucket_of(24h), histogram::buckets - 1);
  EXPECT_EQ(bucket_of(nanoseconds::max()), histogram::buckets - 1);
}

TEST(Histogram, AddsUp) {
  histogram one;
  one.record(1ms);
  one.record(2ms);
  EXPECT_EQ(one.sum_ns(), 3'000'000U);
}

TEST(Reasons, BeyondTheCapacityAreOther) {
  reason_table reasons;
  std::vector<std::string> texts(reason_table::capacity + 10);
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = "reason" + std::to_string(i);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& one : texts) reasons.add(one.c_str());
  }
  std::map<std::string, std::uint64_t> counted;
  for (const auto& entry : reasons.entries()) counted[entry.reason.load()] += entry.count.get();
  EXPECT_EQ(counted.size(), reason_table::capacity);
  EXPECT_EQ(counted["reason0"], 2U);
  EXPECT_EQ(counted["other"], 2 * 11U);
}

TEST(Counters, AreReadWhileTheyAreWritten) {
  const auto block = std::make_unique<counters>();
  std::jthread worker([&] {
    for (int i = 0; i < 100'000; ++i) {
      block->add(counter::retries);
      block->route(3).by_class[1].add(2);
      block->refusals.add("rate_limited");
      block->durations.record(3, 1ms);
    }
  });
  std::uint64_t last = 0;
  while (last < 100'000) {
    const std::uint64_t seen = block->get(counter::retries);
    ASSERT_GE(seen, last);
    last = seen;
    const char* reason = block->refusals.entries()[0].reason.load(std::memory_order_acquire);
    if (reason != nullptr) {
      ASSERT_STREQ(reason, "rate_limited");
    }
  }
  worker.join();
  EXPECT_EQ(block->route(3).by_class[1].get(), 200'000U);
}

TEST(Names, KeepTheirIdAndAreBounded) {
  names table;
  EXPECT_EQ(table.id_of("other"), names::other);
  const std::uint32_t api = table.id_of("api");
  EXPECT_NE(api, names::other);
  for (std::uint32_t i = 0; i < 2 * names::capacity; ++i) table.id_of("r" + std::to_string(i));
  EXPECT_EQ(table.id_of("api"), api);
  EXPECT_EQ(table.id_of("one more"), names::other);
  EXPECT_EQ(table.all().size(), names::capacity);
  EXPECT_EQ(table.all()[api], "api");
}

}  // namespace
}  // namespace rw::observe
