#include "gateway/top_callers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>

#include "net/address.h"

namespace rw::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

config::ip16 ip(const char* text) {
  config::ip16 made{};
  EXPECT_TRUE(net::parse_ip(text, made)) << text;
  return made;
}

// Another /64 for each number.
config::ip16 network(std::uint64_t number) {
  config::ip16 made{0x20, 0x01};
  std::memcpy(&made[2], &number, 6);
  return made;
}

struct TopCallers : testing::Test {
  void ask(std::string_view identity, const config::ip16& from, bool refused = false) {
    table.add({.identity = identity,
               .client = from,
               .refused = refused,
               .bytes_in = 10,
               .bytes_out = 1000},
              now);
  }
  std::optional<caller_row> find(std::string_view identity) {
    for (caller_row& one : rows = table.rates(now)) {
      if (one.identity == identity) return one;
    }
    return std::nullopt;
  }

  top_callers table;
  std::vector<caller_row> rows;
  mono_time now{std::chrono::hours{1}};
  const config::ip16 home = ip("192.0.2.1");
};

TEST_F(TopCallers, RatesAreThoseOfTheLastSeconds) {
  for (int ms = 0; ms < 60'000; ms += 20) {  // whenever it is looked at
    ask("alice", home, ms % 200 == 0);
    if (ms > 2000 && ms % 700 == 0) {
      const auto row = find("alice");
      ASSERT_TRUE(row);
      EXPECT_NEAR(row->requests, 50, 1) << ms;
      EXPECT_NEAR(row->refused, 5, 1) << ms;
      EXPECT_NEAR(row->bytes_in, 500, 10) << ms;
      EXPECT_NEAR(row->bytes_out, 50'000, 1000) << ms;
    }
    now += milliseconds{20};
  }
  now += seconds{4};
  EXPECT_NEAR(find("alice")->requests, 25, 10);  // of a time half of which was silent
}

TEST_F(TopCallers, WhoCameJustNowIsNoTorrent) {
  for (int i = 0; i < 5; ++i) ask("alice", home);
  EXPECT_EQ(find("alice")->requests, 5);
  now += milliseconds{500};
  EXPECT_EQ(find("alice")->requests, 5);
}

TEST_F(TopCallers, WhoHasLeftIsForgotten) {
  ask("alice", home);
  now += seconds{20};
  EXPECT_FALSE(find("alice"));
  for (int i = 0; i < 1000; ++i) ask("alice", home);
  now += seconds{40};
  EXPECT_TRUE(find("alice"));
  now += seconds{40};
  EXPECT_FALSE(find("alice"));
}

TEST_F(TopCallers, AnIdentityIsNoAddressAndAnAddressIsItsNetwork) {
  ask("", ip("2001:db8::1"));
  ask("", ip("2001:db8::2"));
  ask("", ip("2001:db8:0:1::2"));
  ask("", ip("::1"));
  ask("", home);
  ask("192.0.2.1", home);
  ask("192.0.2.1", ip("192.0.2.2"));
  table.add({.identity = {}, .client = {}, .is_unix = true}, now);
  rows = table.rates(now);
  const auto of = [this](std::string_view identity, const config::ip16& address) {
    const auto at = std::ranges::find_if(rows, [&](const caller_row& one) {
      return one.identity == identity && one.address == address;
    });
    return at == rows.end() ? 0 : at->requests;
  };
  EXPECT_EQ(rows.size(), 6);
  EXPECT_EQ(of("", ip("2001:db8::")), 2);
  EXPECT_EQ(of("", ip("2001:db8:0:1::")), 1);
  EXPECT_EQ(of("", home), 1);
  EXPECT_EQ(of("192.0.2.1", {}), 2);
  EXPECT_EQ(std::ranges::count_if(rows, &caller_row::is_unix), 1);
}

TEST_F(TopCallers, OneInTwoHundredIsSeenAmongAMillionOthers) {
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {  // 10,000 a second
    ask("", network(i));
    if (i % 200 == 0) ask("alice", home);
    now += std::chrono::microseconds{100};
    if (i > 100'000 && i % 9973 == 0) {
      const auto row = find("alice");
      ASSERT_TRUE(row) << i;
      EXPECT_NEAR(row->requests, 50, 5) << i;
      EXPECT_LE(rows.size(), top_callers::rows_max);
    }
  }
}

TEST_F(TopCallers, ManyAsBusyAsEachOtherAreSeen) {
  constexpr std::uint64_t callers = 200;
  for (std::uint64_t i = 0; i < 400'000; ++i) {  // 50 a second each
    ask("", network(i % callers));
    now += std::chrono::microseconds{100};
  }
  rows = table.rates(now);
  const auto right = std::ranges::count_if(
      rows, [](const caller_row& one) { return std::abs(one.requests - 50) < 5; });
  EXPECT_GE(right, 180);  // which ones share a set is chance
}

TEST_F(TopCallers, WhoAskedMuchYesterdayGivesWay) {
  for (int round = 0; round < 2000; ++round) {
    for (std::uint64_t i = 0; i < 2 * top_callers::rows_max; ++i) ask("", network(i));
  }
  now += seconds{60};
  for (int i = 0; i < 100; ++i) {
    ask("alice", home);
    for (std::uint64_t other = 0; other < 100; ++other) ask("", network(1'000'000 + other));
    now += milliseconds{100};
  }
  ASSERT_TRUE(find("alice"));
  EXPECT_NEAR(find("alice")->requests, 10, 3);
}

}  // namespace
}  // namespace rw::gateway
