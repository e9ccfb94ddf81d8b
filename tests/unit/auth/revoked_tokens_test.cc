// Tokens that are good by themselves and refused all the same: revoked, used before, bound to a
// certificate that was not shown. Signed by keys made here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "auth/authenticate.h"
#include "auth/base64url.h"
#include "auth/key_file.h"
#include "auth/private_key.h"
#include "auth/signer.h"
#include "base/random.h"
#include "unit/auth/vectors.h"

namespace rw::auth::testing {
namespace {

using std::chrono::seconds;

constexpr config::credential keys_allowed{.how = config::credential::kind::api_keys};
constexpr config::credential certificate_allowed{.how = config::credential::kind::mtls};
constexpr config::credential jwt(std::uint32_t issuer) {
  return {.how = config::credential::kind::jwt, .issuer = issuer};
}
using credentials = std::vector<config::credential>;

constexpr std::string_view some_thumbprint = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

// Issuers 0 and 2 are "https://a.example", 1 is "https://b.example"; all have one key, kid "k".
class RevokedTokens : public ::testing::Test {
 protected:
  void SetUp() override {
    random_init();
    config::diagnostics found;
    key_ = std::move(*load_private_key(*generate_private_jwk(algorithm::es256), "test", found));
    state_.used = std::make_shared<replay_table>();
    add("https://a.example", false);
    add("https://b.example", false);
    add("https://a.example", true);
    const new_key made = *generate_key("alice");
    alice_key_ = made.key;
    state_.keys = std::make_shared<const key_store>(*load_keys(made.line, "keys", found));
  }

  void add(std::string issuer, bool once) {
    config::jwt_issuer rules;
    rules.issuer = std::move(issuer);
    rules.audiences = {"api"};
    rules.replay_by_jti = once;
    state_.issuers.push_back(
        {.rules = token_rules(rules),
         .keys = std::make_shared<const key_set>(load_keys_or_die(key_.public_set()))});
  }

  std::string token(std::string_view issuer, std::string_view who, std::string_view more = "") {
    std::string out;
    append_base64url(out, fmt::format(R"({{"alg":"ES256","kid":"{}"}})", key_.kid()));
    out += '.';
    append_base64url(out, fmt::format(R"({{"iss":"{}","aud":"api","sub":"{}","exp":{}{}}})", issuer,
                                      who, 1'800'000'300, more));
    auto hand = signer::make();
    const auto signature = hand->sign(key_, out);
    out += '.';
    append_base64url(out, *signature);
    return out;
  }

  verdict ask(const std::string& token, const credentials& any,
              const client_certificate* shown = nullptr) {
    presented what = bearer(header_, token);
    what.certificate = shown;
    return worker_.authenticate(what, any, {}, state_, now_);
  }

  void revoke(revoked_kind what, std::string id, std::string issuer = "") {
    std::vector<revocation> list;
    list.push_back({.what = what, .id = std::move(id), .issuer = std::move(issuer)});
    worker_.revoke(std::make_shared<const revocation_list>(std::move(list)));
  }

  static constexpr wall_time now_{seconds(1'800'000'000)};
  private_key key_;
  std::string alice_key_;
  std::string header_;
  snapshot state_;
  authenticator worker_;
};

TEST_F(RevokedTokens, ACachedVerdictIsRevokedLikeAFreshOne) {
  const std::string one = token("https://a.example", "carol", R"(,"jti":"7")");
  for (const auto& [what, id] : {std::pair{revoked_kind::identity, std::string("carol")},
                                 std::pair{revoked_kind::jti, std::string("7")},
                                 std::pair{revoked_kind::kid, std::string(key_.kid())}}) {
    worker_.revoke(nullptr);
    EXPECT_TRUE(ask(one, {jwt(0)}).allowed());
    const auto hits = worker_.cache_hits();
    revoke(what, id);
    const verdict found = ask(one, {jwt(0)});
    EXPECT_EQ(found.why, reason::revoked);
    EXPECT_EQ(found.who.view(), "carol");
    EXPECT_GT(worker_.cache_hits(), hits);
  }
  worker_.revoke(nullptr);
  EXPECT_TRUE(ask(one, {jwt(0)}).allowed());
}

TEST_F(RevokedTokens, AnotherIssuersTokenOfTheSameJtiStays) {
  revoke(revoked_kind::jti, "7", "https://a.example");
  EXPECT_EQ(ask(token("https://a.example", "carol", R"(,"jti":"7")"), {jwt(0)}).why,
            reason::revoked);
  EXPECT_TRUE(ask(token("https://b.example", "carol", R"(,"jti":"7")"), {jwt(1)}).allowed());
}

TEST_F(RevokedTokens, AKeysCallerIsRevokedByName) {
  const presented what{.api_key = alice_key_, .api_key_lines = 1};
  const credentials any{keys_allowed};
  EXPECT_TRUE(worker_.authenticate(what, any, {}, state_, now_).allowed());
  revoke(revoked_kind::identity, "alice");
  const verdict found = worker_.authenticate(what, any, {}, state_, now_);
  EXPECT_EQ(found.why, reason::revoked);
  EXPECT_EQ(found.who.view(), "alice");
}

TEST_F(RevokedTokens, WhatIsUnderWayIsFoundWithoutUsingAnythingUp) {
  const std::string one = token("https://a.example", "carol", R"(,"jti":"7")");
  const verdict then = ask(one, {jwt(2)});
  ASSERT_TRUE(then.allowed());
  const presented what = bearer(header_, one);
  EXPECT_FALSE(worker_.is_revoked(what, then, state_, now_));
  revoke(revoked_kind::jti, "8");
  EXPECT_FALSE(worker_.is_revoked(what, then, state_, now_));
  for (const auto& [kind, id] : {std::pair{revoked_kind::identity, std::string("carol")},
                                 std::pair{revoked_kind::jti, std::string("7")},
                                 std::pair{revoked_kind::kid, std::string(key_.kid())}}) {
    revoke(kind, id);
    EXPECT_TRUE(worker_.is_revoked(what, then, state_, now_));
  }
  verdict open;
  EXPECT_FALSE(worker_.is_revoked(what, open, state_, now_));
}

TEST_F(RevokedTokens, AJtiIsAcceptedOnceWhereTheIssuerSaysSo) {
  const std::string one = token("https://a.example", "carol", R"(,"jti":"7")");
  EXPECT_TRUE(ask(one, {jwt(0)}).allowed());
  EXPECT_TRUE(ask(one, {jwt(0)}).allowed());
  EXPECT_TRUE(ask(one, {jwt(2)}).allowed());
  EXPECT_EQ(ask(one, {jwt(2)}).why, reason::replayed);
  // Not the token's bytes: another signature over the same jti is the same use.
  EXPECT_EQ(ask(token("https://a.example", "carol", R"(,"jti":"7")"), {jwt(2)}).why,
            reason::replayed);
  EXPECT_EQ(ask(token("https://a.example", "carol"), {jwt(2)}).why, reason::missing_claim);
  EXPECT_EQ(ask(token("https://a.example", "carol", R"(,"jti":"")"), {jwt(2)}).why,
            reason::bad_claim);
}

// Two workers have an authenticator each and the table together.
TEST_F(RevokedTokens, AJtiIsAcceptedOnceOnAllWorkers) {
  const std::string one = token("https://a.example", "carol", R"(,"jti":"7")");
  const credentials any{jwt(2)};
  authenticator other;
  EXPECT_TRUE(ask(one, any).allowed());
  EXPECT_EQ(other.authenticate(bearer(header_, one), any, {}, state_, now_).why, reason::replayed);
}

// So that others can be asked about it: whose it is, which, and until when.
TEST_F(RevokedTokens, WhatWasUsedUpHereIsSaid) {
  const std::string one = token("https://a.example", "carol", R"(,"jti":"7")");
  EXPECT_EQ(ask(one, {jwt(0)}).spent_until, numeric_date{});
  presented what = bearer(header_, one);
  what.cannot_spend = true;
  const credentials any{jwt(2)};
  EXPECT_EQ(worker_.authenticate(what, any, {}, state_, now_).why, reason::replay_unknown);
  const verdict used = ask(one, any);
  ASSERT_TRUE(used.allowed()) << "it was not used up before";
  EXPECT_EQ(used.token_id, "7");
  EXPECT_EQ(used.spent_issuer, 2U);
  EXPECT_GT(used.spent_until, numeric_date(std::chrono::seconds(1'800'000'299)));
  EXPECT_EQ(ask(one, any).spent_until, numeric_date{});
}

TEST_F(RevokedTokens, ARequestThatIsRefusedUsesNoJtiUp) {
  const std::string one = token("https://a.example", "carol", R"(,"jti":"7")");
  const credentials any{jwt(2)};
  const credentials all{keys_allowed};
  EXPECT_EQ(worker_.authenticate(bearer(header_, one), any, all, state_, now_).why,
            reason::missing);
  EXPECT_TRUE(ask(one, any).allowed());
}

TEST_F(RevokedTokens, ABoundTokenNeedsItsCertificate) {
  const std::string one = token("https://a.example", "carol",
                                fmt::format(R"(,"cnf":{{"x5t#S256":"{}"}})", some_thumbprint));
  client_certificate right;
  right.thumbprint = some_thumbprint;
  client_certificate other = right;
  other.thumbprint.back() = '3';
  for (int round = 0; round < 2; ++round) {  // verified, then from the cache
    EXPECT_EQ(ask(one, {jwt(0)}).why, reason::certificate);
    EXPECT_EQ(ask(one, {jwt(0)}, &other).why, reason::certificate);
    EXPECT_TRUE(ask(one, {jwt(0)}, &right).allowed());
  }
}

TEST_F(RevokedTokens, ABindingThatIsNotUnderstoodIsRefused) {
  for (const auto& [cnf, why] :
       {std::pair{R"({"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})", reason::certificate},
        std::pair{R"({"x5t#S256":"short"})", reason::bad_claim},
        std::pair{R"({"x5t#S256":1})", reason::bad_claim}, std::pair{"{}", reason::bad_claim},
        std::pair{"\"x\"", reason::bad_claim}}) {
    EXPECT_EQ(
        ask(token("https://a.example", "carol", fmt::format(R"(,"cnf":{})", cnf)), {jwt(0)}).why,
        why)
        << cnf;
  }
}

TEST_F(RevokedTokens, ACertificateNamesItsCaller) {
  client_certificate shown;
  shown.who.assign("spiffe://example/alice");
  presented what;
  what.certificate = &shown;
  const credentials any{certificate_allowed};
  const verdict found = worker_.authenticate(what, any, {}, state_, now_);
  EXPECT_TRUE(found.allowed());
  EXPECT_EQ(found.kind, credential_kind::mtls);
  EXPECT_EQ(found.who.view(), "spiffe://example/alice");
  revoke(revoked_kind::identity, "spiffe://example/alice");
  EXPECT_EQ(worker_.authenticate(what, any, {}, state_, now_).why, reason::revoked);
  EXPECT_EQ(worker_.authenticate({}, any, {}, state_, now_).why, reason::missing);
}

}  // namespace
}  // namespace rw::auth::testing
