// What a flood of keys does to a limit's memory, and to a caller that is over it: nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "limit/limiter.h"

namespace rw::limit {
namespace {

using namespace std::chrono_literals;

// By a sanitizer, which takes time and memory of its own.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool watched = true;
#else
constexpr bool watched = false;
#endif
constexpr std::uint64_t addresses = watched ? 1'000'000 : 10'000'000;
constexpr std::uint32_t capacity = 262'144;

std::uint64_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

limiter per_address(std::uint64_t burst = 20) {
  const config::limit one{.name = "per-ip",
                          .by = {config::limit_key::client_ip},
                          .rate = {.count = 10, .per = 1s},
                          .burst = burst,
                          .capacity = capacity};
  return limiter(std::span(&one, 1), 2);
}

key of_address(const limiter& of, std::uint64_t n) {
  caller who;
  who.client = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  for (unsigned i = 0; i < 4; ++i) who.client[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return of.make_key(0, who);
}

// Over a minute. Somebody who is over the limit goes on asking all the while, and is let in as
// often as it would have been alone.
TEST(Flood, TenMillionAddressesInAMinuteTakeNoMemoryAndWashNobodyClean) {
  const limiter limits = per_address();
  const key mine = of_address(limits, 0xc0000201);
  const auto at = [](std::uint64_t n) {
    return mono_time{1s + n * (nanoseconds{60s} / addresses)};
  };
  std::uint64_t admitted = 0;
  std::uint64_t before = 0;
  for (std::uint64_t n = 0; n < addresses; ++n) {
    if (n == addresses / 10) before = resident_kib();  // every place has been touched
    ASSERT_TRUE(limits.admit(0, of_address(limits, n), at(n)).admitted);
    if (n % (addresses / 6000) == 0) admitted += limits.admit(0, mine, at(n)).admitted ? 1U : 0U;
  }
  if (!watched) EXPECT_LT(resident_kib(), before + 1024);
  EXPECT_EQ(admitted, 20U + 10U * 60U - 1U);  // burst + rate x the time from the first to the last
}

// What it takes to be forgiven: eight keys of one's own set that owe as much as oneself, and nobody
// can tell which those are. So a flood has to bring about every key of the table as far.
TEST(Flood, WhoOwesItsWholeBurstIsForgivenByNoneThatOwesLess) {
  constexpr std::uint64_t burst = 4;
  const limiter limits = per_address(burst);
  const key mine = of_address(limits, 0xc0000201);
  const mono_time now{1s};
  while (limits.admit(0, mine, now).admitted) {
  }
  // As many requests as the table has places, thrice, of keys that each owe one less.
  for (std::uint64_t n = 0; n < capacity; ++n) {
    for (std::uint64_t i = 0; i < burst - 1; ++i) limits.admit(0, of_address(limits, n), now);
  }
  EXPECT_FALSE(limits.admit(0, mine, now).admitted);
  // Of four times as many that owe all they can, some have come to lie in its set.
  for (std::uint64_t n = 0; n < 4 * capacity; ++n) {
    for (std::uint64_t i = 0; i < burst; ++i) limits.admit(0, of_address(limits, n), now);
  }
  std::uint64_t again = 0;
  while (limits.admit(0, mine, now).admitted) ++again;
  EXPECT_LE(again, burst);  // once more, and for that a million requests were let in
}

}  // namespace
}  // namespace rw::limit
