#include "gateway/decide.h"

#include "auth/mint.h"
#include "auth/private_key.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

class Decide : public test::GatewayTest {
 protected:
  static io::task<bool> settled_by(exchange& x) {
    co_await settle(x);
    co_return true;
  }

  // Limits: five requests per address, two per key.
  void SetUp() override {
    const std::string keys = write("keys", fmt::format("alice:{}\nbob:{}\n", alice, bob));
    configure(fmt::format(R"(
[auth.api_keys]
file = "{}"
[[limit]]
name = "per-ip"
by = "client.ip"
rate = "1/h"
burst = 5
[[limit]]
name = "per-key"
by = "identity"
rate = "1/h"
burst = 2
[[route]]
name = "keys"
path_prefix = "/keys"
upstream = "origin"
auth = ["api_keys"]
limits = ["per-key", "per-ip"]
max_body = "10B"
[[route]]
name = "get"
path = "/get"
methods = ["GET"]
upstream = "origin"
auth = []
[[route]]
name = "trace"
path = "/trace"
methods = ["TRACE"]
upstream = "origin"
auth = []
[[route]]
name = "fixed"
path = "/fixed"
action = "respond"
status = 200
body = "x"
auth = []
[[route]]
name = "open"
path_prefix = "/open"
upstream = "origin"
auth = []
limits = ["per-ip"]
)",
                          keys));
  }

  // Of a request like "GET /open" with these field lines, from its own or the same address.
  exchange& decided(const std::string& what, const std::string& lines = "",
                    const std::string& body = "") {
    exchange& x = ask(what + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body);
    decide(x);
    return x;
  }
  std::string verdict_on(const std::string& what, const std::string& lines = "",
                         const std::string& body = "") {
    const exchange& x = decided(what, lines, body);
    return fmt::format("{} {}", x.decision.status, x.decision.reason);
  }
  std::uint64_t left_per_ip() { return decided("GET /open").outcomes[0].remaining; }

  static inline const std::string alice = "0123456789abcdef0123456789abcdef";
  static inline const std::string bob = "fedcba9876543210fedcba9876543210";
  static inline const std::string as_alice = "X-Api-Key: " + alice + "\r\n";
  static inline const std::string as_bob = "X-Api-Key: " + bob + "\r\n";
  static inline const std::string as_nobody = "X-Api-Key: 00000000000000000000000000000000\r\n";
};

TEST_F(Decide, AnAdmittedRequestKnowsItsRouteItsCallerAndItsBudgets) {
  const exchange& x = decided("GET /keys/a", as_alice);
  EXPECT_TRUE(x.decision.admitted()) << x.decision.reason;
  ASSERT_NE(x.route, nullptr);
  EXPECT_EQ(x.route->settings->name, "keys");
  EXPECT_EQ(x.caller.who.view(), "alice");
  ASSERT_EQ(x.limit_count, 2U);
  EXPECT_EQ(x.outcomes[0].remaining, 4U);  // per-ip: before authentication, as ever listed
  EXPECT_EQ(x.outcomes[1].remaining, 1U);
  EXPECT_EQ(x.refusing_limit, SIZE_MAX);
  EXPECT_EQ(x.request_id.size(), 32U);
  EXPECT_GE(x.decided, x.head_done);
  EXPECT_TRUE(is_forwarded(x));
}

TEST_F(Decide, ThePathComesBeforeTheRoute) {
  EXPECT_EQ(verdict_on("GET /nowhere/%00"), "400 encoded_control");
  EXPECT_EQ(verdict_on("GET /nowhere%2fa"), "400 encoded_slash");
  EXPECT_EQ(decided("GET /nowhere/%00").route, nullptr);
}

TEST_F(Decide, WhatIsRoutedIsTheNormalPath) {
  const exchange& x = decided("GET /x/../%6beys//./a?b=/../c", as_alice);
  EXPECT_EQ(x.path, "/keys/a");
  EXPECT_EQ(x.route->settings->name, "keys");
  EXPECT_EQ(x.request.query, "?b=/../c");
}

TEST_F(Decide, TheRouteComesBeforeEverythingElse) {
  const exchange& x = decided("POST /nowhere", as_nobody + "Content-Length: 99\r\n");
  EXPECT_STREQ(x.decision.reason, "no_route");
  EXPECT_EQ(x.decision.status, 404U);
  EXPECT_EQ(x.route, nullptr);
  EXPECT_EQ(x.limit_count, 0U);
  EXPECT_FALSE(is_forwarded(x));
  EXPECT_EQ(verdict_on("OPTIONS *"), "404 no_route");
}

TEST_F(Decide, AMethodThatNoRouteTakesIs405AndTheOthersAreKnown) {
  const exchange& x = decided("DELETE /get");
  EXPECT_EQ(x.decision.status, 405U);
  EXPECT_EQ(x.route, nullptr);
  EXPECT_NE(x.allowed_methods, 0U);
  EXPECT_EQ(verdict_on("HEAD /get"), "0 ");
}

// An answer to it would show what we add to requests.
TEST_F(Decide, TraceGoesOnlyWhereARouteNamesIt) {
  EXPECT_EQ(verdict_on("TRACE /open"), "405 method_not_allowed");
  EXPECT_EQ(verdict_on("TRACE /trace"), "0 ");
}

TEST_F(Decide, LimitsByAddressComeBeforeAuthentication) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(verdict_on("GET /keys", as_nobody), "401 unknown_key");
  const exchange& x = decided("GET /keys", as_nobody);
  EXPECT_EQ(x.decision.status, 429U);
  EXPECT_EQ(x.refusing_limit, 0U);
  EXPECT_TRUE(x.caller.allowed());  // was not asked
  EXPECT_TRUE(x.caller.who.empty());
  EXPECT_EQ(verdict_on("GET /keys", as_alice), "429 rate_limited");
}

TEST_F(Decide, EachAddressHasItsOwnBudget) {
  peer_ = from("192.0.2.1");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(verdict_on("GET /open"), "0 ");
  EXPECT_EQ(verdict_on("GET /open"), "429 rate_limited");
  peer_ = from("192.0.2.2");
  EXPECT_EQ(verdict_on("GET /open"), "0 ");
}

TEST_F(Decide, AuthenticationComesBeforeTheLimitsByIdentity) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(verdict_on("GET /keys", as_nobody), "401 unknown_key");
  const exchange& x = decided("GET /keys", as_alice);
  EXPECT_TRUE(x.decision.admitted());
  EXPECT_EQ(x.outcomes[1].remaining, 1U);  // of two: nobody's took none
}

TEST_F(Decide, WithoutACredentialItIs401AndTheRestIsNotAsked) {
  const exchange& x = decided("POST /keys", "Content-Length: 99\r\n");
  EXPECT_EQ(x.decision.status, 401U);
  EXPECT_STREQ(x.decision.reason, "missing");
  EXPECT_EQ(x.limit_count, 1U);
}

TEST_F(Decide, TwoCredentialLinesAreAmbiguous) {
  EXPECT_EQ(verdict_on("GET /keys", as_alice + as_alice), "400 ambiguous");
  EXPECT_EQ(verdict_on("GET /keys", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
            "400 ambiguous");
}

TEST_F(Decide, ARefusalByIdentityGivesBackWhatTheAddressPaid) {
  EXPECT_EQ(verdict_on("GET /keys", as_alice), "0 ");
  EXPECT_EQ(verdict_on("GET /keys", as_alice), "0 ");
  for (int i = 0; i < 10; ++i) {
    const exchange& x = decided("GET /keys", as_alice);
    ASSERT_EQ(x.decision.status, 429U);
    ASSERT_EQ(x.refusing_limit, 1U);
    ASSERT_EQ(x.state->limits->at(x.limits[x.refusing_limit].index).name, "per-key");
  }
  EXPECT_EQ(left_per_ip(), 2U);  // five, less Alice's two, less this one
  EXPECT_EQ(verdict_on("GET /keys", as_bob), "0 ");
}

TEST_F(Decide, ARefusalByAuthenticationGivesNothingBack) {
  EXPECT_EQ(verdict_on("GET /keys", as_nobody), "401 unknown_key");
  EXPECT_EQ(verdict_on("GET /keys"), "401 missing");
  EXPECT_EQ(left_per_ip(), 2U);
}

TEST_F(Decide, TheBodyIsLookedAtLast) {
  EXPECT_EQ(verdict_on("POST /keys", as_nobody + "Content-Length: 11\r\n"), "401 unknown_key");
  EXPECT_EQ(verdict_on("POST /keys", as_alice + "Content-Length: 10\r\n"), "0 ");
  EXPECT_EQ(verdict_on("POST /keys", as_alice + "Content-Length: 11\r\n"), "413 body_too_large");
  EXPECT_EQ(verdict_on("POST /keys", as_alice + "Content-Length: 11\r\n"), "429 rate_limited");
  EXPECT_EQ(verdict_on("POST /keys", as_bob + "Transfer-Encoding: chunked\r\n"), "0 ");
}

TEST_F(Decide, ABodyThatIsAllThereGoesWithTheHead) {
  const exchange& x = decided("POST /open", "Content-Length: 4\r\n", "bodyGET /next");
  EXPECT_TRUE(x.body_read);
  EXPECT_EQ(x.first_body, "body");
  EXPECT_EQ(x.bytes_in, 4U);
  EXPECT_EQ(client_->downstream.input(), "GET /next");
}

TEST_F(Decide, ABodyThatIsNotAllThereStaysInTheStream) {
  const exchange& x = decided("POST /open", "Content-Length: 5\r\n", "body");
  EXPECT_FALSE(x.body_read);
  EXPECT_EQ(x.first_body, "");
  EXPECT_EQ(client_->downstream.input(), "body");
  const exchange& y = decided("POST /open", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n");
  EXPECT_FALSE(y.body_read);
  EXPECT_EQ(client_->downstream.input(), "0\r\n\r\n");
}

TEST_F(Decide, WithoutABodyNothingIsLeftToRead) {
  EXPECT_TRUE(decided("GET /open").body_read);
  EXPECT_TRUE(decided("POST /open", "Content-Length: 0\r\n").body_read);
}

TEST_F(Decide, TheHeadStaysReadableWhateverComesAfterIt) {
  const exchange& x = decided("GET /open/./a?query", "X-Own: value\r\n");
  const std::string more(100'000, 'x');
  io::test::put(sockets_->theirs, more);
  ASSERT_TRUE(until([&] { return client_->downstream.bytes_received() > 10'000; }));
  test::outcome<result<>> got;
  start(receive(client_->downstream, in(test::seconds{5})), got);
  ASSERT_TRUE(until([&] { return got.done(); }));
  EXPECT_EQ(x.path, "/open/a");
  EXPECT_EQ(x.request.query, "?query");
  ASSERT_NE(x.request.find("x-own"), nullptr);
  EXPECT_EQ(x.request.find("x-own")->value, "value");
}

TEST_F(Decide, TheConnectionGoesOnAsTheClientWants) {
  EXPECT_TRUE(decided("GET /open").keep_alive);
  EXPECT_FALSE(decided("GET /open", "Connection: close\r\n").keep_alive);
  EXPECT_TRUE(decided("GET /nowhere").keep_alive);
}

TEST_F(Decide, WhatIsAnsweredHereIsNotForwarded) {
  const exchange& x = decided("GET /fixed");
  EXPECT_TRUE(x.decision.admitted());
  EXPECT_FALSE(is_forwarded(x));
}

class DecideByToken : public Decide {
 protected:
  void SetUp() override {
    const std::string ours = *auth::generate_private_jwk(auth::algorithm::es256);
    const std::string theirs = *auth::generate_private_jwk(auth::algorithm::es256);
    own_.emplace(minter_of(ours, "https://gate.example"));
    other_.emplace(minter_of(theirs, "https://other.example"));
    configure(fmt::format(R"(
[auth.api_keys]
file = "{}"
[auth.mint]
key = {{ file = "{}" }}
issuer = "https://gate.example"
audience = "api"
[auth.jwt.own]
issuer = "https://gate.example"
audiences = ["api"]
jwks = {{ mint = true }}
[auth.jwt.other]
issuer = "https://other.example"
audiences = ["api"]
jwks = {{ file = "{}" }}
[[limit]]
name = "per-caller"
by = "identity"
rate = "1/h"
burst = 3
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys", "jwt:own", "jwt:other"]
limits = ["per-caller"]
)",
                          write("keys", "alice:" + alice + "\n"), write("mint.jwk", ours),
                          write("jwks", public_half(theirs))));
    tag_ = worker_->state().auth.keys->find(alice)->tag;
  }

  static std::shared_ptr<const auth::private_key> read(const std::string& jwk) {
    config::diagnostics ignored;
    auto key = auth::load_private_key(jwk, "test", ignored);
    EXPECT_TRUE(key);
    return std::make_shared<const auth::private_key>(std::move(*key));
  }
  static std::string public_half(const std::string& jwk) { return read(jwk)->public_set(); }
  static auth::minter minter_of(const std::string& jwk, const std::string& issuer) {
    config::mint rules;
    rules.issuer = issuer;
    rules.audience = "api";
    return std::move(*auth::minter::make(read(jwk), rules));
  }
  // What is left to whoever comes with these lines.
  std::uint64_t left(const std::string& lines) {
    const exchange& x = decided("GET /", lines);
    EXPECT_TRUE(x.decision.admitted()) << x.decision.reason;
    EXPECT_EQ(x.caller.who.view(), "alice");
    return x.limit_count == 1 ? x.outcomes[0].remaining : UINT64_MAX;
  }
  std::string token(std::optional<auth::minter>& by) {
    return "Authorization: Bearer " + *by->token("alice", tag_, loop_->wall_now()) + "\r\n";
  }

  auth::line_tag tag_{};  // of alice's key
  std::optional<auth::minter> own_;
  std::optional<auth::minter> other_;
};

TEST_F(DecideByToken, ATokenOfOurOwnMintSpendsTheBudgetOfTheKeyItWasMadeFor) {
  EXPECT_EQ(left(as_alice), 2U);
  EXPECT_EQ(left(token(own_)), 1U);
  EXPECT_EQ(left(token(own_)), 0U);
  EXPECT_EQ(verdict_on("GET /", as_alice), "429 rate_limited");
}

TEST_F(DecideByToken, AnotherIssuersAliceIsSomebodyElse) {
  EXPECT_EQ(left(as_alice), 2U);
  EXPECT_EQ(left(token(other_)), 2U);
  EXPECT_EQ(left(token(own_)), 1U);
  EXPECT_EQ(left(token(other_)), 1U);
}

// No pool here: whoever would have to wait for a hash is told to come again.
TEST_F(Decide, AKeyThatNeedsASlowHashLeavesTheDecisionPending) {
  const std::string keys =
      write("slow", "alice:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq\n");
  configure(fmt::format(R"(
[auth.api_keys]
file = "{}"
[[route]]
name = "keys"
path_prefix = "/"
upstream = "origin"
auth = ["api_keys"]
)",
                        keys));
  const auto get = [](std::string_view key) {
    return fmt::format("GET / HTTP/1.1\r\nHost: a\r\nx-api-key: {}\r\n\r\n", key);
  };
  const std::string_view key = "legacy-key-of-alice-0001";
  exchange& x = ask(get(key));
  decide(x);
  EXPECT_TRUE(x.decision.pending());
  EXPECT_FALSE(x.decision.admitted());
  EXPECT_EQ(x.caller.slow_key, key);
  auth::slow_answer yes{.key = worker_->authenticator().digest(key),
                        .matched = true,
                        .about = worker_->state().auth.keys->slow_lines()[0].id};
  EXPECT_TRUE(judge_caller(x, &yes).admitted());
  EXPECT_EQ(x.caller.who.view(), "alice");

  exchange& again = ask(get(key));
  decide(again);
  ASSERT_TRUE(again.decision.pending());
  net::test::outcome<bool> settled;
  start(settled_by(again), settled);
  ASSERT_TRUE(until([&] { return settled.done(); }));
  EXPECT_EQ(again.decision.status, 503U);
  EXPECT_STREQ(again.decision.reason, "unverified");

  exchange& bad = ask(get("has-a-\x80-in-it"));
  decide(bad);
  EXPECT_FALSE(bad.decision.pending());
}

}  // namespace
}  // namespace rw::gateway
