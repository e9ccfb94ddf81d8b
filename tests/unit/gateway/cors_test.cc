#include "gateway/cors.h"

#include <array>

#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway/respond.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

class Cors : public test::GatewayTest {
 protected:
  // A route with keys, GET and POST, and `more`.
  void route(std::string_view more) {
    configure(fmt::format(R"(
[auth.api_keys]
file = "{}"
[[limit]]
name = "two"
rate = "2/h"
burst = 2
[[route]]
name = "api"
path_prefix = "/api"
methods = ["GET", "POST", "DELETE"]
upstream = "origin"
auth = ["api_keys"]
security_headers = false
{}
[[route]]
name = "rest"
path_prefix = "/"
upstream = "origin"
auth = []
)",
                          write("keys", "alice:0123456789abcdef0123456789abcdef\n"), more));
    std::filesystem::remove(folder_ / "keys");
  }
  exchange& decided(const std::string& what, const std::string& lines) {
    if (!worker_) route(named);
    exchange& x = ask(what + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n");
    decide(x);
    return x;
  }
  exchange& preflight(const std::string& lines, const std::string& target = "/api") {
    return decided("OPTIONS " + target, lines);
  }
  static std::string asks(const std::string& method, const std::string& headers = "",
                          const std::string& origin = "https://a.example") {
    return "Origin: " + origin + "\r\nAccess-Control-Request-Method: " + method + "\r\n" +
           (headers.empty() ? "" : "Access-Control-Request-Headers: " + headers + "\r\n");
  }
  static std::string verdict_of(const exchange& x) {
    return fmt::format("{} {}", x.decision.status, x.decision.reason);
  }
  // The fields of an answer with the origin server's `lines`.
  std::string answered(exchange& x, const std::string& lines = "") {
    head_ = "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
    const http::outcome read = http::parse_response(head_, 0, {}, x.request.verb, x.response);
    EXPECT_EQ(read.state, http::progress::complete) << read.reason;
    std::array<char, 4096> room;
    http::head_writer out(room);
    EXPECT_TRUE(write_response_head(x, body_coding::none, out));
    return std::string(out.view());
  }
  static io::task<bool> answer_it(exchange& x) {
    co_await respond(x);
    co_return true;
  }
  // The gate's own answer.
  std::string own_answer(exchange& x) {
    test::outcome<bool> done;
    start(answer_it(x), done);
    EXPECT_TRUE(until([&] { return done.done(); }));
    std::string got;
    EXPECT_TRUE(until([&] {
      got += io::test::take_all(sockets_->theirs);
      return got.size() >= x.bytes_out;
    }));
    return got;
  }
  static bool has(const std::string& head, const std::string& line) {
    return head.find("\r\n" + line + "\r\n") != std::string::npos;
  }
  static std::size_t count(const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
    return n;
  }

  static constexpr std::string_view named =
      "cors = { origins = [\"https://a.example\", \"https://b.example\"] }";
  static constexpr std::string_view any = "cors = { origins = [\"*\"] }";
  std::string head_;
};

TEST_F(Cors, APreflightIsAnsweredBeforeAnybodyIsAskedWhoTheyAre) {
  exchange& x = preflight(asks("POST", "content-type, X-API-Key"));
  EXPECT_TRUE(x.preflight);
  EXPECT_EQ(verdict_of(x), "0 ");
  EXPECT_FALSE(is_forwarded(x));
  const std::string answer = own_answer(x);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 204 ")) << answer;
  EXPECT_TRUE(has(answer, "access-control-allow-origin: https://a.example"));
  EXPECT_TRUE(has(answer, "access-control-allow-methods: GET, POST"));
  EXPECT_TRUE(has(answer, "access-control-allow-headers: authorization, content-type, x-api-key"));
  EXPECT_TRUE(has(answer, "access-control-max-age: 3600"));
  EXPECT_TRUE(
      has(answer, "vary: origin, access-control-request-method, access-control-request-headers"));
  EXPECT_EQ(answer.find("credentials"), answer.npos);
  EXPECT_EQ(answer.find("expose"), answer.npos);
  EXPECT_EQ(answer.find("content-length"), answer.npos);
  EXPECT_EQ(answer.find("content-type:"), answer.npos);
}

TEST_F(Cors, APreflightIsHeldAgainstOriginMethodAndHeaders) {
  EXPECT_EQ(verdict_of(preflight(asks("GET"))), "0 ");
  EXPECT_EQ(verdict_of(preflight(asks("HEAD"))), "0 ");  // as a route for GET takes it
  EXPECT_EQ(verdict_of(preflight(asks("GET", "AUTHORIZATION ,,\tContent-Type"))), "0 ");
  EXPECT_EQ(verdict_of(preflight(asks("GET", "", "https://c.example"))), "403 cors_origin");
  EXPECT_EQ(verdict_of(preflight(asks("GET", "", "https://A.example"))), "403 cors_origin");
  EXPECT_EQ(verdict_of(preflight(asks("GET", "", "null"))), "403 cors_origin");
  EXPECT_EQ(verdict_of(preflight(asks("DELETE"))), "403 cors_method");
  EXPECT_EQ(verdict_of(preflight(asks("GET", "x-other"))), "403 cors_header");
  EXPECT_EQ(verdict_of(preflight(asks("GET", "authorization, x-other"))), "403 cors_header");
  EXPECT_EQ(verdict_of(preflight(asks("GET", "authorization") +
                                 "Access-Control-Request-Headers: x-other\r\n")),
            "403 cors_header");
  EXPECT_EQ(verdict_of(preflight(asks("GET") + "Origin: https://b.example\r\n")),
            "403 cors_origin");
}

TEST_F(Cors, ARefusedPreflightSaysNothingOfWhatIsAllowed) {
  const std::string answer = own_answer(preflight(asks("DELETE")));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << answer;
  EXPECT_EQ(answer.find("access-control-allow"), answer.npos) << answer;
  EXPECT_EQ(count(answer, "\r\nvary: "), 1U);
}

// Methods are told apart by case: "get" is in the way of whoever means GET.
TEST_F(Cors, AMethodInAnotherCaseIsAnother) {
  exchange& x = preflight(asks("get"));
  EXPECT_EQ(x.route->settings->name, "rest");  // which has no cors: a request like any other
  EXPECT_FALSE(x.preflight);
}

TEST_F(Cors, WhatIsNoPreflightIsARequestLikeAnyOther) {
  for (const std::string& lines : {std::string(), std::string("Origin: https://a.example\r\n"),
                                   std::string("Access-Control-Request-Method: GET\r\n")}) {
    const exchange& x = preflight(lines);
    EXPECT_FALSE(x.preflight) << lines;
    EXPECT_TRUE(is_forwarded(x)) << lines;
    EXPECT_EQ(x.route->settings->name, "rest") << lines;
  }
  exchange& x = decided("GET /api", asks("GET"));
  EXPECT_FALSE(x.preflight);
  EXPECT_EQ(x.decision.status, 401U);
  EXPECT_TRUE(is_forwarded(preflight(asks("GET"), "/elsewhere")));
}

TEST_F(Cors, LimitsByAddressHoldForPreflights) {
  route(std::string(named) + "\nlimits = [\"two\"]");
  EXPECT_EQ(verdict_of(preflight(asks("GET"))), "0 ");
  EXPECT_EQ(verdict_of(preflight(asks("DELETE"))), "403 cors_method");
  EXPECT_EQ(verdict_of(preflight(asks("GET"))), "429 rate_limited");
}

TEST_F(Cors, EveryAnswerToAnOriginThatIsLetInSaysSo) {
  exchange& x = decided("GET /api", "Origin: https://b.example\r\n");
  ASSERT_EQ(x.decision.status, 401U);
  const std::string refused = own_answer(x);
  EXPECT_TRUE(has(refused, "access-control-allow-origin: https://b.example")) << refused;
  EXPECT_TRUE(has(refused,
                  "access-control-expose-headers: ratelimit, ratelimit-policy, "
                  "retry-after, www-authenticate, x-request-id"));
  EXPECT_TRUE(has(refused, "vary: origin"));
  EXPECT_EQ(refused.find("access-control-allow-methods"), refused.npos);
  const std::string passed = answered(decided("GET /api", "Origin: https://b.example\r\n"));
  EXPECT_TRUE(has(passed, "access-control-allow-origin: https://b.example")) << passed;
}

TEST_F(Cors, AnswersToOthersVaryAllTheSame) {
  for (const char* origin : {"", "Origin: https://c.example\r\n", "Origin: null\r\n",
                             "Origin: https://a.example\r\nOrigin: https://a.example\r\n"}) {
    const std::string head = answered(decided("GET /api", origin));
    EXPECT_EQ(head.find("access-control"), head.npos) << head;
    EXPECT_TRUE(has(head, "vary: origin")) << head;
  }
}

TEST_F(Cors, WithCredentialsTheyAreSaidToBeWelcome) {
  route("cors = { origins = [\"https://a.example\"], credentials = true, max_age = \"0s\" }");
  const std::string asked = own_answer(preflight(asks("GET")));
  EXPECT_TRUE(has(asked, "access-control-allow-credentials: true")) << asked;
  EXPECT_TRUE(has(asked, "access-control-max-age: 0"));
  const std::string head = answered(decided("GET /api", "Origin: https://a.example\r\n"));
  EXPECT_TRUE(has(head, "access-control-allow-credentials: true")) << head;
  EXPECT_EQ(answered(decided("GET /api", "Origin: https://c.example\r\n")).find("access-control"),
            std::string::npos);
}

// The answer is the same for all: a cache may give it to any of them.
TEST_F(Cors, AnyOriginNeedsNoVary) {
  route(any);
  for (const char* origin : {"", "Origin: https://c.example\r\n", "Origin: null\r\n"}) {
    const std::string head = answered(decided("GET /api", origin), "Vary: Accept\r\n");
    EXPECT_TRUE(has(head, "access-control-allow-origin: *")) << head;
    EXPECT_TRUE(has(head, "Vary: Accept")) << head;
    EXPECT_EQ(count(head, "ary: "), 1U) << head;
  }
  const std::string asked = own_answer(preflight(asks("GET", "", "https://c.example")));
  EXPECT_TRUE(has(asked, "access-control-allow-origin: *")) << asked;
}

TEST_F(Cors, VaryIsOneLineWithWhatTheOriginServerVariesBy) {
  const auto vary = [&](const std::string& lines) {
    const std::string head = answered(decided("GET /api", ""), lines);
    EXPECT_EQ(count(head, "\r\nvary: ") + count(head, "\r\nVary: "), 1U) << head;
    const std::size_t at = head.find("\r\nvary: ") + 8;
    return head.substr(at, head.find("\r\n", at) - at);
  };
  EXPECT_EQ(vary("Vary: Accept-Encoding\r\n"), "Accept-Encoding, origin");
  EXPECT_EQ(vary("Vary: Accept\r\nVary: Cookie, x\r\n"), "Accept, Cookie, x, origin");
  EXPECT_EQ(vary("Vary: accept, ORIGIN\r\n"), "accept, ORIGIN");
  EXPECT_EQ(vary("Vary: *\r\n"), "*");
  EXPECT_EQ(vary("Vary:\r\n"), "origin");
  route(std::string(named) + "\nresponse_headers.set = { Vary = \"x-a\" }");
  EXPECT_EQ(vary("Vary: Accept\r\n"), "x-a, origin");
  route(std::string(named) + "\nresponse_headers.remove = [\"Vary\"]");
  EXPECT_EQ(vary("Vary: Accept\r\n"), "origin");
}

TEST_F(Cors, WhatTheOriginServerSaysOfItIsReplaced) {
  const std::string theirs =
      "Access-Control-Allow-Origin: *\r\naccess-control-allow-credentials: true\r\n"
      "Access-Control-Allow-Methods: X\r\nAccess-Control-Allow-Headers: *\r\n"
      "Access-Control-Max-Age: 9\r\nAccess-Control-Expose-Headers: *\r\n"
      "Access-Control-Allow-Private-Network: true\r\nX-Kept: yes\r\n";
  std::string head = answered(decided("GET /api", "Origin: https://c.example\r\n"), theirs);
  EXPECT_EQ(head.find("ccess-"), head.npos) << head;
  EXPECT_TRUE(has(head, "X-Kept: yes"));
  head = answered(decided("GET /api", "Origin: https://a.example\r\n"), theirs);
  EXPECT_EQ(count(head, "llow-origin") + count(head, "llow-Origin"), 1U) << head;
  head = answered(decided("GET /elsewhere", "Origin: https://a.example\r\n"), theirs);
  EXPECT_TRUE(has(head, "Access-Control-Allow-Origin: *")) << "a route without cors passes it";
}

}  // namespace
}  // namespace rw::gateway
