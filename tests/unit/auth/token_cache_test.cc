#include "auth/token_cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

namespace rw::auth {
namespace {

constexpr numeric_date at(std::int64_t seconds) {
  return numeric_date(std::chrono::seconds(seconds));
}

std::string token(int number, std::size_t length = 700) {
  std::mt19937 random(static_cast<unsigned>(number));
  std::string out(length, 'a');
  for (char& c : out) c = static_cast<char>('a' + random() % 26);
  return out;
}

checked_claims say(std::string_view who, std::string scopes = "") {
  checked_claims out;
  out.identity = who;
  out.scopes = std::move(scopes);
  out.jti = "id-7";
  out.bound = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
  out.rate = "250/m";
  out.expires = at(1000);
  out.valid_from = at(100);
  out.valid_until = at(1030);
  return out;
}

TEST(TokenCache, GivesBackWhatWasPutIn) {
  token_cache cache;
  const std::string one = token(1);
  EXPECT_FALSE(cache.find(one, 0, 7, at(500)));
  cache.insert(one, 0, 7, say("alice", "read write"), "kid-1");
  const auto hit = cache.find(one, 0, 7, at(500));
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->identity, "alice");
  EXPECT_EQ(hit->scopes, "read write");
  EXPECT_EQ(hit->expires, at(1000));
  EXPECT_EQ(hit->jti, "id-7");
  EXPECT_EQ(hit->kid, "kid-1");
  EXPECT_EQ(hit->bound, say("alice").bound);
  EXPECT_EQ(hit->rate, "250/m");
  EXPECT_EQ(hit->until, at(1030));
  EXPECT_EQ(hit->why, reason::none);
}

TEST(TokenCache, HoldsToTheWindow) {
  token_cache cache;
  const std::string one = token(1);
  cache.insert(one, 0, 7, say("alice"), "kid-1");
  EXPECT_FALSE(cache.find(one, 0, 7, at(99)));
  EXPECT_TRUE(cache.find(one, 0, 7, at(100)));
  EXPECT_TRUE(cache.find(one, 0, 7, at(1029)));
  EXPECT_FALSE(cache.find(one, 0, 7, at(1030)));
}

TEST(TokenCache, AnotherGenerationIssuerOrOctetIsAMiss) {
  token_cache cache;
  const std::string one = token(1);
  cache.insert(one, 0, 7, say("alice"), "kid-1");
  EXPECT_FALSE(cache.find(one, 0, 8, at(500)));
  EXPECT_FALSE(cache.find(one, 1, 7, at(500)));
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::string changed = one;
    changed[i] = '!';
    EXPECT_FALSE(cache.find(changed, 0, 7, at(500))) << i;
  }
  EXPECT_FALSE(cache.find(one + "x", 0, 7, at(500)));
  EXPECT_FALSE(cache.find(std::string_view(one).substr(1), 0, 7, at(500)));
  EXPECT_FALSE(cache.find("short", 0, 7, at(500)));
  EXPECT_FALSE(cache.find("", 0, 7, at(500)));
}

// Same end, different rest: both stay apart.
TEST(TokenCache, TokensWithOneEndDoNotMix) {
  token_cache cache;
  const std::string end = token(9, 16);
  for (int i = 0; i < 3; ++i)
    cache.insert(token(i) + end, 0, 1, say(fmt::format("who-{}", i)), "kid-1");
  for (int i = 0; i < 3; ++i) {
    const auto hit = cache.find(token(i) + end, 0, 1, at(500));
    if (hit) EXPECT_EQ(hit->identity, fmt::format("who-{}", i));
  }
}

// However much is pushed through, a hit says what was said about that very token, and memory stays.
TEST(TokenCache, NeverAnswersFromOverwrittenOctets) {
  token_cache cache({.entries = 64, .bytes = 16 << 10});
  std::mt19937 random(42);
  std::size_t hits = 0;
  for (int round = 0; round < 20'000; ++round) {
    const int number = static_cast<int>(random() % 200);
    const std::string text = token(number, 40 + static_cast<std::size_t>(number) * 7);
    if (const auto hit = cache.find(text, 0, 1, at(500))) {
      ++hits;
      ASSERT_EQ(hit->identity, fmt::format("who-{}", number));
      ASSERT_EQ(hit->scopes, fmt::format("scope-{}", number));
    } else {
      cache.insert(text, 0, 1, say(fmt::format("who-{}", number), fmt::format("scope-{}", number)),
                   "kid-1");
    }
  }
  EXPECT_GT(hits, 100U);
}

TEST(TokenCache, WhatDoesNotFitIsNotKept) {
  token_cache cache({.entries = 4, .bytes = 4096});
  const std::string big = token(1, 2000);
  cache.insert(big, 0, 1, say("alice"), "kid-1");
  EXPECT_FALSE(cache.find(big, 0, 1, at(500)));
  cache.insert(token(2, 900), 0, 1, say("alice"), "kid-1");
  EXPECT_TRUE(cache.find(token(2, 900), 0, 1, at(500)));
}

TEST(TokenCache, HoldsThousandsOfTokens) {
  token_cache cache;
  for (int i = 0; i < 4000; ++i) cache.insert(token(i), 0, 1, say("alice"), "kid-1");
  int kept = 0;
  for (int i = 0; i < 4000; ++i) kept += cache.find(token(i), 0, 1, at(500)) ? 1 : 0;
  EXPECT_GT(kept, 3000);
}

}  // namespace
}  // namespace rw::auth
