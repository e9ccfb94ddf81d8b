// Tokens as credentials: their issuers, the cache of those that were verified, keys that lack.
#include <gtest/gtest.h>

#include "auth/authenticate.h"
#include "unit/auth/authenticate_world.h"

namespace rw::auth::testing {
namespace {

TEST_F(Authenticate, ATokenOfOurMintLivesNoLongerThanItsKey) {
  state_.issuers[0].ours = true;
  const std::string bearer = "Bearer " + token(0, "alice");
  EXPECT_TRUE(ask_authorization(bearer, {jwt(0)}).allowed());
  EXPECT_TRUE(ask_authorization(bearer, {jwt(0)}).allowed());  // from the cache
  EXPECT_EQ(ask_authorization("Bearer " + token(0, "mallory"), {jwt(0)}).why, reason::key_removed);
  config::diagnostics found;
  state_.keys = std::make_shared<const key_store>(*load_keys("# nobody\n", "keys", found));
  EXPECT_EQ(ask_authorization(bearer, {jwt(0)}).why, reason::key_removed);
}

TEST_F(Authenticate, TokensNameTheirIssuerAndExpiry) {
  const std::string value = "Bearer " + token(1, "carol");
  const verdict found = ask_authorization(value, {keys_allowed, jwt(0), jwt(1)});
  EXPECT_EQ(found.why, reason::none);
  EXPECT_EQ(found.kind, credential_kind::jwt);
  EXPECT_EQ(found.issuer, 1U);
  EXPECT_EQ(found.who.view(), "carol");
  EXPECT_EQ(found.expires, now_ + std::chrono::hours(1));
  EXPECT_EQ(worker_.cache_misses(), 1U);
  EXPECT_EQ(ask_authorization(value, {keys_allowed, jwt(0), jwt(1)}).issuer, 1U);
  EXPECT_EQ(worker_.cache_misses(), 1U);
  EXPECT_EQ(worker_.cache_hits(), 1U);
}

TEST_F(Authenticate, OneTokenMayBeHeldAgainstTwoTablesOfAnIssuer) {
  const std::string value = "Bearer " + token(0, "carol");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(ask_authorization(value, {jwt(2), jwt(0)}).issuer, 0U);
    const verdict refused = ask_authorization(value, {jwt(2)});
    EXPECT_EQ(refused.why, reason::insufficient_scope);
    EXPECT_EQ(refused.status(), 403U);
    EXPECT_EQ(refused.who.view(), "carol");
    EXPECT_EQ(ask({.authorization = value, .authorization_lines = 1}, {jwt(0)}, {jwt(2)}).why,
              reason::insufficient_scope);
  }
  EXPECT_EQ(worker_.cache_misses(), 2U);
  state_.issuers[2].rules.scopes.clear();
  ++state_.generation;
  const verdict found = ask({.authorization = value, .authorization_lines = 1}, {jwt(0)}, {jwt(2)});
  EXPECT_TRUE(found.allowed());
  EXPECT_EQ(found.issuer, 0U);
  EXPECT_EQ(found.who.view(), "carol");
}

TEST_F(Authenticate, CachedTokensExpireAndGoWithTheirGeneration) {
  const std::string value = "Bearer " + token(0, "carol");
  const presented what = {.authorization = value, .authorization_lines = 1};
  const credentials any = {jwt(0)};
  const auto at = [&](seconds after) {
    return worker_.authenticate(what, any, {}, state_, now_ + after).why;
  };
  EXPECT_EQ(at(seconds(0)), reason::none);
  EXPECT_EQ(at(seconds(3600 + 29)), reason::none);
  EXPECT_EQ(at(seconds(3600 + 30)), reason::expired);
  EXPECT_EQ(at(seconds(0)), reason::none);
  EXPECT_EQ(at(seconds(-31)), reason::not_yet_valid);
  EXPECT_EQ(worker_.cache_misses(), 3U);
  ++state_.generation;
  state_.issuers[0].keys = state_.issuers[1].keys;
  EXPECT_EQ(at(seconds(0)), reason::unknown_kid);
}

TEST_F(Authenticate, AnIssuerWithoutKeysIsOurFault) {
  const std::string value = "Bearer " + token(0, "carol");
  state_.issuers[0].keys = nullptr;
  EXPECT_EQ(ask_authorization(value, {jwt(0)}).why, reason::keys_unavailable);
  EXPECT_EQ(ask_authorization(value, {jwt(0)}).status(), 503U);
}

TEST_F(Authenticate, KeysThatAreFetchedAreWantedForTokensThatLackNothingElse) {
  const std::string good = "Bearer " + token(0, "carol");
  const std::string expired = "Bearer " + token(0, "carol", now_ - seconds(7200));
  const auto wanted_by = [&](const std::string& value) {
    return ask_authorization(value, {jwt(0)}).wants_keys_of;
  };
  const auto right = state_.issuers[0].keys;
  constexpr std::uint32_t none = verdict::no_issuer;
  for (const auto& keys : {std::shared_ptr<const key_set>{}, state_.issuers[1].keys}) {
    state_.issuers[0].keys = keys;
    state_.issuers[0].remote = false;
    EXPECT_EQ(wanted_by(good), none);
    state_.issuers[0].remote = true;
    EXPECT_EQ(wanted_by(good), 0U);
    EXPECT_EQ(wanted_by(expired), none);
  }
  // The kid is known, but the key behind it is another one.
  std::vector<public_key> swapped = state_.issuers[1].keys->keys();
  swapped[0].kid = right->keys()[0].kid;
  state_.issuers[0].keys = std::make_shared<const key_set>(std::move(swapped));
  EXPECT_EQ(ask_authorization(good, {jwt(0)}).why, reason::bad_signature);
  EXPECT_EQ(wanted_by(good), 0U);
  EXPECT_EQ(ask_authorization(good, {jwt(1)}).wants_keys_of, none);
  state_.issuers[0].keys = right;
  EXPECT_EQ(wanted_by(good), none);
}

}  // namespace
}  // namespace rw::auth::testing
