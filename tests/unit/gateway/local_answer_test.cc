#include "auth/private_key.h"
#include "gateway/decide.h"
#include "gateway/respond.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

class LocalAnswer : public test::GatewayTest {
 protected:
  void route(std::string_view action) {
    configure(fmt::format("[[route]]\nname = \"all\"\npath_prefix = \"/\"\nauth = []\n{}", action));
  }
  answer to(const std::string& request, std::string_view lines = "") {
    x_ = &ask(fmt::format("{} HTTP/1.1\r\nHost: Gate.Example:8443\r\n{}\r\n", request, lines));
    decide(*x_);
    EXPECT_TRUE(x_->decision.admitted()) << x_->decision.reason;
    return local_answer(*x_, store_);
  }
  std::string redirected(const std::string& target, const std::string& request) {
    route(fmt::format("action = \"redirect\"\nstatus = 308\nredirect = \"{}\"\n", target));
    const answer a = to("GET " + request);
    EXPECT_EQ(a.status, 308U);
    EXPECT_EQ(a.body, "");
    return std::string(a.location);
  }
  // Routes /jwks and /token, with a key of this test's own.
  void minting() {
    const auto key = auth::generate_private_jwk(auth::algorithm::es256);
    ASSERT_TRUE(key);
    configure(fmt::format(R"(
[auth.mint]
key = {{ file = "{}" }}
issuer = "https://gate.example"
audience = "api"
[auth.api_keys]
file = "{}"
[[route]]
name = "jwks"
path = "/jwks"
action = "jwks"
auth = []
[[route]]
name = "token"
path = "/token"
action = "mint"
auth = ["api_keys"]
)",
                          write("mint.jwk", *key),
                          write("keys", "alice:0123456789abcdef0123456789abcdef\n")));
  }

  exchange* x_ = nullptr;
  std::string store_;
};

TEST_F(LocalAnswer, ARedirectIsItsTemplateFilledIn) {
  EXPECT_EQ(redirected("https://{host}{path}{query}", "/a/b?c=d&e"),
            "https://Gate.Example/a/b?c=d&e");
  EXPECT_EQ(redirected("https://{host}{path}{query}", "/"), "https://Gate.Example/");
  EXPECT_EQ(redirected("https://x.example/{path}?from={host}", "/a"),
            "https://x.example//a?from=Gate.Example");
  EXPECT_EQ(redirected("https://x.example/", "/a?b"), "https://x.example/");
}

// "//evil" would be another host.
TEST_F(LocalAnswer, ARedirectToThePathStaysOnThisHost) {
  EXPECT_EQ(redirected("{path}{query}", "//evil.example/a"), "/evil.example/a");
  EXPECT_EQ(redirected("{path}{query}", "/.//..//%2e/evil.example"), "/evil.example");
}

// HTTP/1.0 need not say which host it means.
TEST_F(LocalAnswer, ARedirectToAHostThatNobodyNamedIsRefused) {
  for (const auto& [target, status] :
       {std::pair{"https://{host}{path}", 400U}, std::pair{"https://x.example{path}", 308U}}) {
    route(fmt::format("action = \"redirect\"\nredirect = \"{}\"\n", target));
    exchange& x = ask("GET /a HTTP/1.0\r\n\r\n");
    decide(x);
    EXPECT_EQ(local_answer(x, store_).status, status) << target;
    EXPECT_STREQ(x.decision.reason, status == 400 ? "missing_host" : "");
  }
}

TEST_F(LocalAnswer, WhatAPlaceholderIsFilledWithIsNotFilledAgain) {
  EXPECT_EQ(redirected("https://{host}{path}{query}", "/a?{host}{path}"),
            "https://Gate.Example/a?{host}{path}");
}

TEST_F(LocalAnswer, AFixedAnswerIsWhatTheRouteSays) {
  route("action = \"respond\"\nstatus = 410\ntype = \"text/plain\"\nbody = \"gone\\n\"\n");
  const answer a = to("POST /a");
  EXPECT_EQ(a.status, 410U);
  EXPECT_EQ(a.type, "text/plain");
  EXPECT_EQ(a.body, "gone\n");
  EXPECT_EQ(a.location, "");
}

TEST_F(LocalAnswer, TheKeySetIsThePublicHalfOfTheKey) {
  minting();
  for (const char* method : {"GET", "HEAD"}) {
    const answer a = to(std::string(method) + " /jwks");
    EXPECT_EQ(a.status, 200U);
    EXPECT_EQ(a.type, "application/jwk-set+json");
    EXPECT_EQ(a.body, x_->state->mint_key->public_set());
    EXPECT_EQ(a.body.find("\"d\""), std::string::npos);
    EXPECT_TRUE(x_->decision.admitted());
  }
}

TEST_F(LocalAnswer, AKeySetThatTheClientHasIsNotSentAgain) {
  minting();
  const std::string etag(to("GET /jwks").etag);
  EXPECT_EQ(to("GET /jwks", "If-None-Match: " + etag + "\r\n").status, 304U);
  EXPECT_EQ(to("GET /jwks", "If-None-Match: \"other\"\r\n").status, 200U);
}

TEST_F(LocalAnswer, AKeySetIsOnlyRead) {
  minting();
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"}) {
    const exchange& x = ask(std::string(method) + " /jwks HTTP/1.1\r\nHost: a\r\n\r\n");
    decide(*client_->current);
    EXPECT_EQ(x.decision.status, 405U) << method;
    EXPECT_STREQ(x.decision.reason, "method_not_allowed");
  }
}

TEST_F(LocalAnswer, AMintedTokenIsForTheCallerAndMustNotBeStored) {
  minting();
  const answer a = to("POST /token", "X-Api-Key: 0123456789abcdef0123456789abcdef\r\n");
  EXPECT_EQ(a.status, 200U);
  EXPECT_EQ(a.type, "application/json");
  EXPECT_EQ(a.cache_control, "no-store");
  EXPECT_TRUE(a.body.starts_with(R"({"token":"ey)")) << a.body;
  EXPECT_NE(a.body.find(R"("token_type":"Bearer")"), std::string_view::npos);
}

TEST_F(LocalAnswer, TheMintTakesPostAlone) {
  minting();
  const exchange& x = ask("GET /token HTTP/1.1\r\nHost: a\r\n\r\n");
  decide(*client_->current);
  EXPECT_EQ(x.decision.status, 405U);
}

TEST(Problem, HasTheStatusAndItsPhrase) {
  std::string store;
  const answer a = problem(404, store);
  EXPECT_EQ(a.status, 404U);
  EXPECT_EQ(a.type, "application/problem+json");
  EXPECT_EQ(a.body, R"({"type":"about:blank","title":"Not Found","status":404})");
}

TEST(Problem, OfA401HasTheErrorThatVerifiersAnswered) {
  std::string store;
  EXPECT_EQ(problem(401, store).body,
            R"({"type":"about:blank","title":"Unauthorized","status":401,"error":"unauthorized"})");
  for (const unsigned other : {400U, 402U, 403U, 429U, 503U}) {
    EXPECT_FALSE(problem(other, store).body.contains("error\":")) << other;
  }
}

}  // namespace
}  // namespace rw::gateway
