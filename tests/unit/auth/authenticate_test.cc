#include "auth/authenticate.h"

#include "unit/auth/callers.h"

namespace rw::auth::testing {
namespace {

TEST_F(Authenticate, OpenRoutesLetEverybodyIn) {
  for (const presented& what : {presented{}, presented{.api_key = "wrong", .api_key_lines = 1},
                                presented{.authorization = "Basic x", .authorization_lines = 1}}) {
    const verdict found = ask(what, {});
    EXPECT_TRUE(found.allowed());
    EXPECT_EQ(found.kind, credential_kind::none);
    EXPECT_TRUE(found.who.empty());
  }
}

TEST_F(Authenticate, NothingPresentedIsMissing) {
  EXPECT_EQ(ask({}, {keys_allowed, jwt(0)}).why, reason::missing);
  EXPECT_EQ(ask({}, {}, {keys_allowed}).why, reason::missing);
  EXPECT_EQ(ask({}, {keys_allowed}).status(), 401U);
}

TEST_F(Authenticate, ATokenOfOurMintLivesNoLongerThanItsKey) {
  state_.issuers[0].ours = true;
  const new_key first = *generate_key("alice");
  const new_key second = *generate_key("alice");
  const auto put = [this](const std::string& lines) {
    config::diagnostics found;
    key_store keys = *load_keys(lines, "keys", found);
    keys.tag_lines("of the mint");
    state_.keys = std::make_shared<const key_store>(std::move(keys));
  };
  const auto minted_for = [this](const new_key& key) {
    const verdict shown = ask_key(key.key, {keys_allowed});
    EXPECT_TRUE(shown.allowed());
    return "Bearer " + token(0, "alice", now_, shown.key_line);
  };
  put(first.line + "\n" + second.line + "\n");
  const std::string one = minted_for(first);
  const std::string two = minted_for(second);
  EXPECT_TRUE(ask_authorization(one, {jwt(0)}).allowed());
  EXPECT_TRUE(ask_authorization(one, {jwt(0)}).allowed());  // from the cache
  EXPECT_TRUE(ask_authorization(two, {jwt(0)}).allowed());
  EXPECT_EQ(ask_authorization("Bearer " + token(0, "alice"), {jwt(0)}).why, reason::key_removed);

  put(second.line + "\n");
  EXPECT_EQ(ask_authorization(one, {jwt(0)}).why, reason::key_removed);
  EXPECT_TRUE(ask_authorization(two, {jwt(0)}).allowed());
  // The same key under another name is another line; its date is not part of it.
  put("bob" + second.line.substr(5) + "\n");
  EXPECT_EQ(ask_authorization(two, {jwt(0)}).why, reason::key_removed);
  put("alice@2100-01-01" + second.line.substr(5) + "\n");
  EXPECT_TRUE(ask_authorization(two, {jwt(0)}).allowed());
  put("alice@2020-01-01" + second.line.substr(5) + "\n");
  EXPECT_EQ(ask_authorization(two, {jwt(0)}).why, reason::key_removed);
  put("# nobody\n");
  EXPECT_EQ(ask_authorization(two, {jwt(0)}).why, reason::key_removed);
}

TEST_F(Authenticate, KeysInEitherHeaderAndEveryForm) {
  const credentials any = {keys_allowed};
  const auto expect_alice = [](const verdict& found) {
    EXPECT_EQ(found.why, reason::none);
    EXPECT_EQ(found.who.view(), "alice");
    EXPECT_EQ(found.kind, credential_kind::api_key);
  };
  expect_alice(ask_key(alice_key_, any));
  expect_alice(ask_authorization(alice_key_, any));
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER ", "bEaReR    "}) {
    expect_alice(ask_authorization(scheme + alice_key_, any));
  }
  // x-api-key is only ever an API key, dots or not.
  EXPECT_EQ(ask_key("plain.key.with-dots", any).who.view(), "old");
  EXPECT_EQ(ask_key(token(0, "alice"), {keys_allowed, jwt(0)}).why, reason::unknown_key);
  // Two dots behind Bearer make a JWT of it; a bare value is a key.
  EXPECT_FALSE(ask_authorization("Bearer plain.key.with-dots", {keys_allowed, jwt(0)}).allowed());
  EXPECT_EQ(ask_authorization("plain.key.with-dots", any).who.view(), "old");
  EXPECT_EQ(ask_authorization(token(0, "alice"), {jwt(0)}).why, reason::unknown_key);
}

TEST_F(Authenticate, WrongKeysAndForms) {
  const credentials any = {keys_allowed, jwt(0)};
  EXPECT_EQ(ask_key("nope", any).why, reason::unknown_key);
  EXPECT_EQ(ask_key("", any).why, reason::malformed);
  EXPECT_EQ(ask_key("has space", any).why, reason::malformed);
  EXPECT_EQ(ask_key(std::string(1025, 'x'), any).why, reason::malformed);
  EXPECT_EQ(ask_authorization("", any).why, reason::malformed);
  EXPECT_EQ(ask_authorization("Bearer", any).why, reason::malformed);
  EXPECT_EQ(ask_authorization("Bearer ", any).why, reason::malformed);
  EXPECT_EQ(ask_authorization("Bearer a b", any).why, reason::malformed);
  EXPECT_EQ(ask_authorization("Bearer " + alice_key_ + " ", any).why, reason::malformed);
  EXPECT_EQ(ask_authorization("Bearer " + alice_key_ + ",", any).why, reason::unknown_key);
  for (const char* other : {"Basic YTpi", "DPoP x", "Digest a=b", "Bearerx y", "Token x", " x"}) {
    EXPECT_EQ(ask_authorization(other, any).why, reason::unsupported_scheme) << other;
  }
}

TEST_F(Authenticate, AHeaderTwiceIsABadRequest) {
  EXPECT_EQ(ask({.api_key = alice_key_, .api_key_lines = 2}, {keys_allowed}).status(), 400U);
  EXPECT_EQ(ask({.authorization = alice_key_, .authorization_lines = 2}, {keys_allowed}).why,
            reason::ambiguous);
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

TEST_F(Authenticate, AnyInvalidOneRefuses) {
  const std::string good = "Bearer " + token(0, "alice");
  const std::string bad = good + "A";
  const credentials any = {keys_allowed, jwt(0)};
  const auto both = [&](std::string_view key, std::string_view authorization,
                        const credentials& list) {
    return ask({.api_key = key,
                .api_key_lines = 1,
                .authorization = authorization,
                .authorization_lines = 1},
               list);
  };
  EXPECT_TRUE(both(alice_key_, good, any).allowed());
  EXPECT_EQ(both("wrong", good, any).why, reason::unknown_key);
  EXPECT_FALSE(both(alice_key_, bad, any).allowed());
  EXPECT_EQ(both(alice_key_, "Basic x", any).why, reason::unsupported_scheme);
  // Whether the route takes that kind or not.
  EXPECT_EQ(both("wrong", good, {jwt(0)}).why, reason::unknown_key);
  EXPECT_FALSE(both(alice_key_, bad, {keys_allowed}).allowed());
  EXPECT_TRUE(both(alice_key_, good, {keys_allowed}).allowed());
  // Two keys of one caller say nothing new, of two callers too much.
  EXPECT_TRUE(both(alice_key_, alice_key_, any).allowed());
  EXPECT_EQ(both(alice_key_, "Bearer " + bob_key_, any).why, reason::ambiguous);
}

TEST_F(Authenticate, TheFirstOfAuthGivesTheName) {
  const std::string value = "Bearer " + token(0, "carol");
  const presented both = {
      .api_key = alice_key_, .api_key_lines = 1, .authorization = value, .authorization_lines = 1};
  EXPECT_EQ(ask(both, {keys_allowed, jwt(0)}).who.view(), "alice");
  EXPECT_EQ(ask(both, {jwt(0), keys_allowed}).who.view(), "carol");
  EXPECT_EQ(ask(both, {}, {keys_allowed, jwt(0)}).who.view(), "alice");
  EXPECT_EQ(ask(both, {jwt(0)}, {keys_allowed}).who.view(), "carol");
}

TEST_F(Authenticate, AuthAllWantsEveryOne) {
  const std::string value = "Bearer " + token(0, "carol");
  const credentials all = {keys_allowed, jwt(0)};
  EXPECT_EQ(ask({.api_key = alice_key_, .api_key_lines = 1}, {}, all).why, reason::missing);
  EXPECT_EQ(ask({.authorization = value, .authorization_lines = 1}, {}, all).why, reason::missing);
  EXPECT_EQ(ask({.authorization = value, .authorization_lines = 1}, {jwt(0)}, {jwt(1)}).why,
            reason::wrong_issuer);
}

TEST_F(Authenticate, AValidCredentialOfTheWrongKindIsNotAccepted) {
  const std::string value = "Bearer " + token(0, "carol");
  EXPECT_EQ(ask_key(alice_key_, {jwt(0)}).why, reason::not_accepted);
  EXPECT_EQ(ask_authorization(value, {keys_allowed}).why, reason::not_accepted);
  EXPECT_EQ(ask_authorization(value, {jwt(1)}).why, reason::wrong_issuer);
  EXPECT_EQ(ask_authorization(value, {jwt(1)}).status(), 401U);
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
  ++state_.issuers[2].generation;
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
  ++state_.issuers[0].generation;
  state_.issuers[0].keys = state_.issuers[1].keys;
  EXPECT_EQ(at(seconds(0)), reason::unknown_kid);
}

TEST_F(Authenticate, OnlyTheIssuerThatChangedHasItsCachedTokensVerifiedAnew) {
  number_issuers(state_, nullptr, 1);
  const std::string one = "Bearer " + token(0, "carol");
  const std::string other = "Bearer " + token(1, "carol");
  // Whether each of the two was found in the cache.
  const auto found = [&] {
    std::vector<bool> hits;
    for (std::uint32_t index : {0U, 1U}) {
      const std::uint64_t before = worker_.cache_hits();
      EXPECT_TRUE(ask_authorization(index == 0 ? one : other, {jwt(index)}).allowed());
      hits.push_back(worker_.cache_hits() > before);
    }
    return hits;
  };
  std::uint64_t generation = 1;
  const auto change = [&](auto&& how) {
    const snapshot before = state_;
    how();
    number_issuers(state_, &before, ++generation);
    return found();
  };
  using expected = std::vector<bool>;
  found();
  EXPECT_EQ(found(), (expected{true, true}));
  // A reload that reads the same again.
  EXPECT_EQ(change([&] {
              state_.issuers[0].keys = std::make_shared<const key_set>(*state_.issuers[0].keys);
            }),
            (expected{true, true}));
  EXPECT_EQ(change([&] {
              std::vector<public_key> more = state_.issuers[0].keys->keys();
              more.push_back(state_.issuers[1].keys->keys()[0]);
              state_.issuers[0].keys = std::make_shared<const key_set>(std::move(more));
            }),
            (expected{false, true}));
  EXPECT_EQ(change([&] { state_.issuers[1].rules.leeway += seconds(1); }), (expected{true, false}));
  EXPECT_EQ(change([&] { state_.issuers[0].rules.audiences.emplace_back("more"); }),
            (expected{false, true}));
  EXPECT_EQ(found(), (expected{true, true}));
}

// What is at a place of the table now is not what was there before.
TEST_F(Authenticate, AnIssuerThatTakesAnothersPlaceHasNoneOfItsTokens) {
  number_issuers(state_, nullptr, 1);
  const std::string one = "Bearer " + token(0, "carol");
  EXPECT_TRUE(ask_authorization(one, {jwt(0)}).allowed());
  const snapshot before = state_;
  state_.issuers.erase(state_.issuers.begin());
  number_issuers(state_, &before, 2);
  EXPECT_EQ(ask_authorization(one, {jwt(0)}).why, reason::wrong_issuer);
  EXPECT_EQ(ask_authorization(one, {jwt(1)}).why, reason::insufficient_scope);
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

TEST_F(Authenticate, HeadersThatAreNotReadCountForNothing) {
  state_.keys_in_x_api_key = false;
  EXPECT_EQ(ask_key(alice_key_, {keys_allowed}).why, reason::missing);
  state_.keys_in_x_api_key = true;
  state_.keys_in_authorization = false;
  EXPECT_EQ(ask_authorization("Bearer " + alice_key_, {keys_allowed}).why, reason::malformed);
  EXPECT_TRUE(ask_authorization("Bearer " + token(0, "carol"), {jwt(0)}).allowed());
  // With no issuer at all the header is somebody else's.
  state_.issuers.clear();
  EXPECT_TRUE(ask({.api_key = alice_key_,
                   .api_key_lines = 1,
                   .authorization = "Basic x",
                   .authorization_lines = 1},
                  {keys_allowed})
                  .allowed());
}

TEST_F(Authenticate, WithoutIssuersDotsMakeNoToken) {
  state_.issuers.clear();
  EXPECT_EQ(ask_authorization("Bearer plain.key.with-dots", {keys_allowed}).who.view(), "old");
}

TEST(Snapshot, TakesItsHeadersFromTheConfiguration) {
  config::configuration from;
  from.has_api_keys = true;
  from.api_keys.headers = {"authorization"};
  from.jwt.push_back(vectors_issuer());
  const snapshot made = make_snapshot(from);
  EXPECT_FALSE(made.keys_in_x_api_key);
  EXPECT_TRUE(made.keys_in_authorization);
  ASSERT_EQ(made.issuers.size(), 1U);
  EXPECT_EQ(made.issuers[0].rules.issuer, "https://issuer.example");
  EXPECT_EQ(made.issuers[0].rules.leeway, seconds(30));
}

}  // namespace
}  // namespace rw::auth::testing
