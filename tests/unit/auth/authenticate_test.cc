#include "auth/authenticate.h"

#include <gtest/gtest.h>

#include "unit/auth/authenticate_world.h"

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
