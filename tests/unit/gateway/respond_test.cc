#include "gateway/respond.h"

#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

using enum fault;
using stage = upstream_stage;

class Respond : public test::GatewayTest {
 protected:
  void SetUp() override {
    configure(fmt::format(R"(
[[limit]]
name = "once"
rate = "1/h"
burst = 1
[auth.api_keys]
file = "{}"
[[route]]
name = "limited"
path = "/limited"
upstream = "origin"
auth = []
limits = ["once"]
[[route]]
name = "keys"
path = "/keys"
upstream = "origin"
auth = ["api_keys"]
[[route]]
name = "get"
path = "/get"
methods = ["GET", "PUT"]
upstream = "origin"
auth = []
[[route]]
name = "open"
path = "/open"
upstream = "origin"
auth = []
)",
                          write("keys", "alice:0123456789abcdef0123456789abcdef\n")));
  }

  exchange& decided(const std::string& what, const std::string& lines = "") {
    exchange& x = ask(what + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n");
    decide(x);
    return x;
  }
  static io::task<bool> answer_it(exchange& x) {
    co_await respond(x);
    co_return true;
  }
  void run(exchange& x) {
    test::outcome<bool> done;
    start(answer_it(x), done);
    EXPECT_TRUE(until([&] { return done.done(); }));
  }
  // What the client gets.
  std::string answered(exchange& x) {
    run(x);
    std::string got;
    EXPECT_TRUE(until([&] {
      got += io::test::take_all(sockets_->theirs);
      return got.size() >= x.bytes_out;
    }));
    return got;
  }
  // The answer to a request that is refused with `status` after it was admitted.
  std::string refused(unsigned status, const std::string& what = "GET /open",
                      const std::string& lines = "") {
    last_ = &decided(what, lines);
    last_->decision = {status, "because"};
    return answered(*last_);
  }
  static bool has(const std::string& answer, const std::string& line) {
    return answer.find("\r\n" + line + "\r\n") != std::string::npos;
  }
  static bool has_field(const std::string& answer, const std::string& name) {
    return answer.find("\r\n" + name + ": ") != std::string::npos;
  }
  static std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  exchange* last_ = nullptr;
};

TEST_F(Respond, WhatAnOriginDoesToUsHasOneStatusAndOneReason) {
  struct row {
    stage at;
    fault code;
    unsigned status;
    const char* reason;
    observe::deadline passed = observe::deadline::none;
  };
  using observe::deadline;
  const row rows[] = {
      {stage::connect, timed_out, 504, "upstream_connect_timeout", deadline::connect},
      {stage::connect, fault::refused, 502, "upstream_refused"},
      {stage::connect, unreachable, 502, "upstream_unreachable"},
      {stage::connect, reset, 502, "upstream_unreachable"},
      {stage::request, timed_out, 504, "upstream_takes_nothing", deadline::gap},
      {stage::request, too_large, 431, "head_too_large"},
      {stage::request, reset, 502, "upstream_reset"},
      {stage::request, closed, 502, "upstream_reset"},
      {stage::first_byte, timed_out, 504, "upstream_first_byte_timeout", deadline::first_byte},
      {stage::first_byte, malformed, 502, "upstream_malformed"},
      {stage::first_byte, too_large, 502, "upstream_head_too_large"},
      {stage::first_byte, closed, 502, "upstream_closed"},
      {stage::first_byte, reset, 502, "upstream_reset"},
      {stage::body, timed_out, 504, "upstream_body_timeout", deadline::gap},
      {stage::body, malformed, 502, "upstream_body_malformed"},
      {stage::body, closed, 502, "upstream_body_cut"},
      {stage::body, reset, 502, "upstream_body_reset"},
  };
  const exchange& x = decided("GET /open");
  for (const row& one : rows) {
    const verdict got = refusal_of_upstream(x, {one.code, origin::upstream, false, 0, ""}, one.at);
    EXPECT_EQ(got.status, one.status) << one.reason;
    EXPECT_STREQ(got.reason, one.reason);
    EXPECT_EQ(got.passed, one.passed) << one.reason;
  }
  exchange& stuck = decided("POST /open");
  stuck.upload_stuck = true;
  EXPECT_STREQ(
      refusal_of_upstream(stuck, {timed_out, origin::upstream, false, 0, ""}, stage::first_byte)
          .reason,
      "upstream_takes_nothing");
  stuck.out_of_time = true;
  EXPECT_EQ(
      refusal_of_upstream(stuck, {timed_out, origin::upstream, false, 0, ""}, stage::body).passed,
      deadline::total);
}

// No descriptor left is ours to be sorry for, not the origin's.
TEST_F(Respond, RunningOutOfSocketsIs503) {
  const exchange& x = decided("GET /open");
  EXPECT_EQ(refusal_of_upstream(x, {exhausted, origin::local, false, 0, ""}, stage::connect).status,
            503U);
  EXPECT_EQ(
      refusal_of_upstream(x, {exhausted, origin::upstream, false, 0, ""}, stage::connect).status,
      502U);
}

TEST_F(Respond, AClientThatHasGoneIs499WhateverElseHappened) {
  exchange& x = decided("GET /open");
  for (const stage at : {stage::connect, stage::request, stage::first_byte, stage::body}) {
    EXPECT_EQ(refusal_of_upstream(x, {canceled, origin::downstream, false, 0, ""}, at).status,
              499U);
  }
  sockets_->theirs.reset();
  ASSERT_TRUE(until([&] { return client_->downstream.ended(); }));
  EXPECT_EQ(refusal_of_upstream(x, {reset, origin::upstream, false, 0, ""}, stage::body).status,
            499U);
  x.body_read = false;  // it may be what is left of the body that has ended
  EXPECT_EQ(refusal_of_upstream(x, {reset, origin::upstream, false, 0, ""}, stage::body).status,
            502U);
}

TEST_F(Respond, WhatBecomesOfABodyHasOneStatusEach) {
  exchange& x = decided("GET /open");
  const auto refusal = [&](fault code) {
    x.upload_error = {code, origin::downstream, false, 0, "bad_chunk_size"};
    const verdict got = refusal_of_body(x);
    return fmt::format("{} {}", got.status, got.reason);
  };
  EXPECT_EQ(refusal(timed_out), "408 body_timeout");
  x.upload_deadline = observe::deadline::least_rate;
  EXPECT_EQ(refusal(timed_out), "408 body_too_slow");
  x.upload_deadline = observe::deadline::write_gap;
  EXPECT_EQ(refusal(timed_out), "499 client_takes_nothing");
  EXPECT_EQ(refusal(too_large), "413 body_too_large");
  EXPECT_EQ(refusal(malformed), "400 bad_chunk_size");
  EXPECT_EQ(refusal(closed), "499 client_closed");
  EXPECT_EQ(refusal(reset), "499 client_closed");
}

TEST_F(Respond, ARefusalSaysItsStatusAndNoMore) {
  const std::string answer = refused(502);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << answer;
  EXPECT_TRUE(has(answer, "content-type: application/problem+json"));
  EXPECT_EQ(body_of(answer), R"({"type":"about:blank","title":"Bad Gateway","status":502})");
  EXPECT_TRUE(has(answer, fmt::format("content-length: {}", body_of(answer).size())));
  EXPECT_TRUE(has(answer, fmt::format("x-request-id: {}", last_->request_id)));
  EXPECT_TRUE(has_field(answer, "date"));
  EXPECT_EQ(answer.find("because"), std::string::npos);
  EXPECT_EQ(last_->status, 502U);
  EXPECT_STREQ(last_->reason, "because");
  EXPECT_EQ(last_->bytes_out, answer.size());
  EXPECT_TRUE(last_->answer_begun);
}

TEST_F(Respond, AnAnswerToHeadHasTheLengthAndNoBody) {
  const std::string answer = refused(502, "HEAD /open");
  EXPECT_EQ(body_of(answer), "");
  EXPECT_TRUE(has(answer, "content-length: 57")) << answer;
  EXPECT_EQ(last_->bytes_out, answer.size());
}

TEST_F(Respond, AConnectionGoesOnAfterARefusalThatLeavesNoDoubt) {
  for (const unsigned status : {401U, 403U, 404U, 405U, 413U, 429U, 500U, 502U, 503U, 504U}) {
    EXPECT_FALSE(has(refused(status), "connection: close")) << status;
    EXPECT_TRUE(last_->keep_alive) << status;
  }
  for (const unsigned status : {400U, 408U, 414U, 417U, 431U, 501U, 505U}) {
    EXPECT_TRUE(has(refused(status), "connection: close")) << status;
    EXPECT_FALSE(last_->keep_alive) << status;
  }
}

TEST_F(Respond, AnUnreadBodyEndsTheConnectionWhenItIsLong) {
  refused(404, "POST /open", fmt::format("Content-Length: {}\r\n", discarded_bytes_max));
  EXPECT_TRUE(last_->keep_alive);
  refused(404, "POST /open", fmt::format("Content-Length: {}\r\n", discarded_bytes_max + 1));
  EXPECT_FALSE(last_->keep_alive);
}

// Whether its body follows cannot be known.
TEST_F(Respond, AnUnreadBodyThatWaitsForAnInvitationEndsTheConnection) {
  const std::string answer =
      refused(404, "POST /open", "Content-Length: 1\r\nExpect: 100-continue\r\n");
  EXPECT_TRUE(has(answer, "connection: close"));
  EXPECT_FALSE(last_->keep_alive);
}

TEST_F(Respond, A401SaysHowAndMustNotBeStored) {
  exchange& x = decided("GET /keys");
  std::string answer = answered(x);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 401 ")) << answer;
  EXPECT_TRUE(has_field(answer, "www-authenticate"));
  EXPECT_TRUE(has(answer, "cache-control: no-store"));
  EXPECT_STREQ(x.reason, "missing");
}

TEST_F(Respond, ChallengesAreForThoseWhoWereAskedWhoTheyAre) {
  EXPECT_FALSE(has_field(refused(400), "www-authenticate"));
  EXPECT_FALSE(has_field(answered(decided("GET /nowhere")), "www-authenticate"));
}

TEST_F(Respond, A405SaysWhatTheRouteTakes) {
  EXPECT_TRUE(has(answered(decided("DELETE /get")), "allow: GET, HEAD, PUT"));
  const std::string answer = answered(decided("TRACE /open"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(has(answer, "allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
}

TEST_F(Respond, A429SaysWhenToComeBackAndWhichLimitItWas) {
  ASSERT_TRUE(decided("GET /limited").decision.admitted());
  exchange& x = decided("GET /limited");
  const auto wait = std::chrono::ceil<test::seconds>(x.outcomes[0].retry_after).count();
  const std::string answer = answered(x);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 429 ")) << answer;
  EXPECT_TRUE(has(answer, fmt::format("retry-after: {}", wait)));
  EXPECT_TRUE(has(answer, "ratelimit-policy: \"once\";q=1;w=3600"));
  EXPECT_TRUE(has(answer, fmt::format("ratelimit: \"once\";r=0;t={}", wait)));
}

TEST_F(Respond, A503SaysToTryAgain) {
  EXPECT_TRUE(has(refused(503), "retry-after: 1"));
  EXPECT_FALSE(has_field(refused(502), "retry-after"));
}

TEST_F(Respond, AnswersOutsideAnyRouteHaveSecurityHeadersToo) {
  EXPECT_TRUE(has(answered(decided("GET /nowhere")), "x-content-type-options: nosniff"));
}

// What an origin had begun to say is nothing of ours.
TEST_F(Respond, NothingOfTheOriginsHeadIsInOurAnswer) {
  exchange& x = decided("GET /open");
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Security-Policy: theirs\r\nDate: theirs\r\nX-A: theirs\r\n\r\n";
  ASSERT_EQ(http::parse_response(head, 0, {}, http::method::get, x.response).state,
            http::progress::complete);
  x.decision = {502, "because"};
  const std::string answer = answered(x);
  EXPECT_EQ(answer.find("theirs"), std::string::npos);
  EXPECT_TRUE(has_field(answer, "content-security-policy"));
  EXPECT_TRUE(has_field(answer, "date"));
}

TEST_F(Respond, AClientThatTakesNothingEndsTheConnection) {
  exchange& x = decided("GET /open");
  client_->downstream.abort(canceled);
  x.decision = {502, "because"};
  run(x);
  EXPECT_FALSE(x.keep_alive);
}

TEST_F(Respond, GivingUpKeepsTheStatusThatWasSent) {
  exchange& x = decided("GET /open");
  x.decision = {499, "client_closed"};
  give_up_client(x);
  EXPECT_EQ(x.status, 499U);
  EXPECT_STREQ(x.reason, "client_closed");
  EXPECT_FALSE(x.keep_alive);
  EXPECT_FALSE(client_->downstream.quiet());
  exchange& y = decided("GET /open");
  y.status = 200;
  y.decision = {502, "upstream_body_cut"};
  give_up_client(y);
  EXPECT_EQ(y.status, 200U);
  EXPECT_STREQ(y.reason, "upstream_body_cut");
}

}  // namespace
}  // namespace rw::gateway
