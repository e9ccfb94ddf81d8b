#include "limit/ban_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

namespace rw::limit {
namespace {

using namespace std::chrono_literals;
using effect = ban_table::effect;

constexpr mono_time start{std::chrono::hours{100}};
constexpr ban_rule rule{.failures = 10, .within = 1min, .lasts = 10min};

config::ip16 v4(std::uint32_t address) {
  config::ip16 ip{};
  ip[10] = ip[11] = 0xff;
  for (std::size_t i = 0; i < 4; ++i) {
    ip[12 + i] = static_cast<std::uint8_t>(address >> (8 * (3 - i)));
  }
  return ip;
}

config::ip16 v6(std::uint64_t network, std::uint8_t host) {
  config::ip16 ip{};
  for (std::size_t i = 0; i < 8; ++i) {
    ip[i] = static_cast<std::uint8_t>(network >> (8 * (7 - i)));
  }
  ip[15] = host;
  return ip;
}

effect fail(ban_table& table, const config::ip16& ip, mono_time now, unsigned times = 1,
            std::uint32_t weight = 1) {
  ban made;
  effect last = effect::noted;
  for (unsigned i = 0; i < times; ++i) {
    last = table.fail(ip, weight, ban_cause::unauthorized, rule, now, made);
  }
  return last;
}

TEST(BanTable, TheTenthFailureBansForAsLongAsTheRuleSays) {
  ban_table table;
  const auto ip = v4(0xc0000201);
  EXPECT_EQ(fail(table, ip, start, 9), effect::noted);
  EXPECT_FALSE(table.holds(ip, start));
  ban made;
  EXPECT_EQ(table.fail(ip, 1, ban_cause::forbidden, rule, start + 50s, made), effect::banned);
  EXPECT_EQ(made.client, ip);
  EXPECT_EQ(made.until, start + 50s + 10min);
  EXPECT_EQ(made.repeat, 1U);
  EXPECT_EQ(made.cause, ban_cause::forbidden);
  EXPECT_TRUE(table.holds(ip, start + 50s));
  EXPECT_TRUE(table.holds(ip, made.until - 1ms));
  EXPECT_FALSE(table.holds(ip, made.until));
  EXPECT_FALSE(table.holds(v4(0xc0000202), start + 50s));
  EXPECT_EQ(fail(table, ip, start + 51s, 100), effect::noted);  // it is banned already
  EXPECT_EQ(table.all(start + 51s).size(), 1U);
}

TEST(BanTable, AnIpv6ClientIsItsNetwork) {
  ban_table table;
  for (std::uint8_t host = 1; host <= 10; ++host) {
    fail(table, v6(0x20010db800010002, host), start);
  }
  EXPECT_TRUE(table.holds(v6(0x20010db800010002, 99), start));
  EXPECT_FALSE(table.holds(v6(0x20010db800010003, 1), start));
  ASSERT_EQ(table.all(start).size(), 1U);
  EXPECT_EQ(table.all(start)[0].client, v6(0x20010db800010002, 0));
  EXPECT_EQ(banned_network(v6(0x20010db800010002, 7)), v6(0x20010db800010002, 0));
}

TEST(BanTable, AnIpv4AddressIsNobodysNetwork) {
  ban_table table;
  fail(table, v4(0x7f000001), start, 10);
  EXPECT_TRUE(table.holds(v4(0x7f000001), start));
  EXPECT_FALSE(table.holds(v6(0x7f000001, 0), start));
  EXPECT_FALSE(table.holds(v6(0, 1), start));
  fail(table, v6(0, 1), start, 10);  // ::1
  EXPECT_TRUE(table.holds(v6(0, 1), start));
  EXPECT_EQ(banned_network(v6(0, 1)), config::ip16{});
  EXPECT_EQ(banned_network(v4(0x7f000001)), v4(0x7f000001));
}

TEST(BanTable, RepeatsDoubleAndAreForgottenAfterADay) {
  ban_table table;
  const auto ip = v4(1);
  mono_time now = start;
  nanoseconds expected = 10min;
  for (unsigned repeat = 1; repeat <= 10; ++repeat) {
    fail(table, ip, now, 9);
    ban made;
    ASSERT_EQ(table.fail(ip, 1, ban_cause::malformed, rule, now, made), effect::banned);
    EXPECT_EQ(made.repeat, repeat);
    EXPECT_EQ(made.until - now, expected);
    expected = std::min<nanoseconds>(expected * 2, 24h);
    now = made.until + 24h - 1ms;
  }
  EXPECT_EQ(table.all(now).size(), 1U);
  EXPECT_EQ(table.all(now + 1ms).size(), 0U);
  fail(table, ip, now + 1ms, 9);
  ban made;
  ASSERT_EQ(table.fail(ip, 1, ban_cause::malformed, rule, now + 1ms, made), effect::banned);
  EXPECT_EQ(made.repeat, 1U);
}

TEST(BanTable, BansByHandAndTheirEnd) {
  ban_table table;
  const auto ip = v4(1);
  const std::uint64_t before = table.changes();
  EXPECT_FALSE(table.lift(ip, start));
  EXPECT_TRUE(table.set({.client = ip, .until = start + 30 * 24h}, start));
  EXPECT_TRUE(table.holds(ip, start + 29 * 24h));
  EXPECT_EQ(table.all(start)[0].cause, ban_cause::by_hand);
  EXPECT_EQ(fail(table, ip, start, 20), effect::noted);  // not made shorter
  EXPECT_TRUE(table.holds(ip, start + 29 * 24h));
  EXPECT_TRUE(table.set({.client = ip, .until = start + 1h}, start));
  EXPECT_FALSE(table.holds(ip, start + 1h));
  EXPECT_TRUE(table.lift(ip, start));
  EXPECT_FALSE(table.holds(ip, start));
  EXPECT_FALSE(table.lift(ip, start));
  EXPECT_EQ(table.changes(), before + 3);
}

TEST(BanTable, WhatWasOverBeforeTheMachineStartedIsARepeatAllTheSame) {
  ban_table table;
  const mono_time now{5s};
  ASSERT_TRUE(table.set({.client = v4(1), .until = now - 2h, .repeat = 3}, now));
  EXPECT_FALSE(table.holds(v4(1), now));
  ban made;
  for (int i = 0; i < 10; ++i) table.fail(v4(1), 1, ban_cause::malformed, rule, now, made);
  EXPECT_EQ(made.repeat, 4U);
}

// A flood of addresses, each of which is banned: none that is in force is lost, and what finds no
// room is counted.
TEST(BanTable, AFloodWashesNoBanAway) {
  ban_table table;
  const unsigned first = 1000;
  for (unsigned i = 0; i < first; ++i) fail(table, v4(i), start, 1, 10);
  std::uint64_t full = 0;
  std::uint64_t banned = 0;
  for (unsigned i = first; i < 300'000; ++i) {
    const effect what = fail(table, v4(i), start, 1, 10);
    full += what == effect::full ? 1U : 0U;
    banned += what == effect::banned ? 1U : 0U;
  }
  for (unsigned i = 0; i < first; ++i) ASSERT_TRUE(table.holds(v4(i), start)) << i;
  EXPECT_EQ(full + banned, 300'000U - first);
  EXPECT_EQ(table.bans_refused(), full);
  EXPECT_EQ(table.all(start).size(), banned + first);
  EXPECT_LE(banned + first, ban_table::capacity);
  EXPECT_GT(banned + first, ban_table::capacity * 99 / 100);
  // Once they are over there is room again.
  EXPECT_EQ(fail(table, v4(1'000'000), start + 11min, 1, 10), effect::banned);
}

// docs/limits.md: a quarter of the places, and fewer than one in a thousand finds no room.
TEST(BanTable, AQuarterOfThePlacesIsThereForAlmostAll) {
  ban_table table;
  unsigned full = 0;
  for (unsigned i = 0; i < ban_table::capacity / 4; ++i) {
    full += fail(table, v4(i * 7919), start, 1, 10) == effect::full ? 1U : 0U;
  }
  EXPECT_LT(full, ban_table::capacity / 4 / 1000);
}

// Who has failed nine times is not washed clean by a flood of others that fail once or twice.
TEST(BanTable, AFloodWashesNoFailuresAway) {
  ban_table table;
  fail(table, v4(1), start, 9);
  for (unsigned i = 0; i < 1'000'000; ++i) fail(table, v4(1000 + i), start + 1s, 1, 1 + i % 2);
  EXPECT_GT(table.failures_forgotten(), 900'000U);
  EXPECT_EQ(fail(table, v4(1), start + 2s), effect::banned);
}

TEST(BanTable, ManyThreadsBanEachClientOnce) {
  ban_table table;
  constexpr unsigned clients = 500;
  std::atomic<unsigned> banned = 0;
  std::vector<std::thread> crew;
  for (unsigned t = 0; t < 4; ++t) {
    crew.emplace_back([&] {
      for (unsigned round = 0; round < 5; ++round) {
        for (unsigned i = 0; i < clients; ++i) {
          banned += fail(table, v4(i), start, 1) == effect::banned ? 1U : 0U;
        }
      }
    });
  }
  for (auto& one : crew) one.join();
  EXPECT_EQ(banned, clients);  // twenty failures each
  EXPECT_EQ(table.all(start).size(), clients);
}

}  // namespace
}  // namespace rw::limit
