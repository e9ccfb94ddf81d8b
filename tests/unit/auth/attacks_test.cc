// Every token of the vectors, through the same entry as a request's.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "auth/jws.h"
#include "base/random.h"
#include "unit/auth/vectors.h"

namespace rw::auth::testing {
namespace {

constexpr config::credential jwt_main{.how = config::credential::kind::jwt, .issuer = 0};

verdict ask(authenticator& worker, const snapshot& state, std::string_view token) {
  std::string storage;
  return worker.authenticate(bearer(storage, token), {&jwt_main, 1}, {}, state, vectors_now);
}

TEST(Attacks, NoneGetsInAndEachIsRefusedForItsOwnReason) {
  random_init();
  const snapshot state = vectors_snapshot();
  authenticator worker;
  std::map<std::string, int> reasons;
  for (const row& one : read_rows("attacks.tsv")) {
    ASSERT_EQ(one.size(), 3U) << one.front();
    // Twice: what was refused once must not come out of the cache.
    for (int round = 0; round < 2; ++round) {
      const verdict found = ask(worker, state, one[2]);
      EXPECT_FALSE(found.allowed()) << one[0];
      EXPECT_EQ(name(found.why), one[1]) << one[0];
      EXPECT_TRUE(found.who.empty()) << one[0];
    }
    ++reasons[one[1]];
  }
  EXPECT_EQ(reasons.size(), 13U);
  EXPECT_EQ(worker.cache_hits(), 0U);
}

TEST(Attacks, GoodTokensOfEveryAlgorithmGetIn) {
  const snapshot state = vectors_snapshot();
  authenticator worker;
  for (const row& one : read_rows("valid.tsv")) {
    ASSERT_EQ(one.size(), 2U) << one.front();
    for (int round = 0; round < 2; ++round) {
      const verdict found = ask(worker, state, one[1]);
      EXPECT_EQ(name(found.why), "none") << one[0];
      EXPECT_EQ(found.who.view(), "alice") << one[0];
      EXPECT_EQ(found.kind, credential_kind::jwt);
    }
  }
  EXPECT_EQ(worker.cache_hits(), worker.cache_misses());
}

TEST(Attacks, GoodTokensNeedTheirAlgorithmOnTheIssuersList) {
  for (std::size_t i = 0; i < algorithm_count; ++i) {
    snapshot state = vectors_snapshot();
    state.issuers[0].rules.algorithms.bits = static_cast<std::uint16_t>(0x3ffU & ~(1U << i));
    authenticator worker;
    const std::string_view without = name(static_cast<algorithm>(i));
    int refused = 0;
    for (const row& one : read_rows("valid.tsv")) {
      const verdict found = ask(worker, state, one[1]);
      if (found.allowed()) continue;
      EXPECT_EQ(found.why, reason::algorithm) << one[0];
      ++refused;
    }
    EXPECT_GE(refused, 4) << without;
  }
}

// Every single-bit change of a token's characters: none verifies.
TEST(Attacks, NoFlippedBitPasses) {
  const snapshot state = vectors_snapshot();
  authenticator worker;
  std::map<std::string, std::string> one_of_each;
  for (const row& one : read_rows("valid.tsv")) {
    const std::string key = one[0].substr(0, one[0].find(' '));
    one_of_each.try_emplace(key, one[1]);
  }
  for (const auto& [from, token] : one_of_each) {
    if (from.starts_with("RS512") || from.starts_with("PS384") || token.size() > 700) continue;
    for (std::size_t at = 0; at < token.size(); at += 3) {
      std::string changed = token;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 7)));
      EXPECT_FALSE(ask(worker, state, changed).allowed()) << from << " at " << at;
    }
  }
}

TEST(Attacks, LineFeedsInATokenAreRefused) {
  const snapshot state = vectors_snapshot();
  authenticator worker;
  const std::string token = read_rows("valid.tsv").front()[1];
  for (const char* end : {"\n", "\r\n", "\r", "\t", "\v", "\0"}) {
    EXPECT_EQ(ask(worker, state, token + std::string(end, end[0] == 0 ? 1 : std::strlen(end))).why,
              reason::malformed);
  }
}

TEST(Attacks, EveryPrefixIsRefused) {
  const snapshot state = vectors_snapshot();
  authenticator worker;
  for (const row& one : read_rows("valid.tsv")) {
    if (!one[0].starts_with("ES256 p256")) continue;
    for (std::size_t length = 0; length < one[1].size(); ++length) {
      EXPECT_FALSE(ask(worker, state, one[1].substr(0, length)).allowed()) << length;
    }
  }
}

}  // namespace
}  // namespace rw::auth::testing
