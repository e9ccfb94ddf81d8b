#include <array>

#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

class ResponseHead : public test::GatewayTest {
 protected:
  void route(std::string_view more) {
    configure(
        fmt::format("{}\n[[route]]\nname = \"all\"\npath_prefix = \"/\"\n"
                    "upstream = \"origin\"\nauth = []\nsecurity_headers = false\n{}",
                    limits_, more));
  }
  exchange& asked(std::string_view request) {
    if (!worker_) route("");
    exchange& x = ask(request);
    decide(x);
    x.request_id = "id";
    return x;
  }
  // What the client gets of the origin's `head`.
  std::string answered(exchange& x, const std::string& head, body_coding body) {
    head_ = head;
    const http::outcome read = http::parse_response(head_, 0, {}, x.request.verb, x.response);
    EXPECT_EQ(read.state, http::progress::complete) << read.reason;
    std::array<char, 4096> room;
    http::head_writer out(room);
    EXPECT_TRUE(write_response_head(x, body, out));
    return std::string(out.view());
  }
  std::string answered(const std::string& head, body_coding body = body_coding::length) {
    return answered(asked(get), head, body);
  }
  static bool has(const std::string& head, const std::string& line) {
    return head.find("\r\n" + line + "\r\n") != std::string::npos;
  }

  static constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string limits_;
  std::string head_;
};

TEST_F(ResponseHead, IsWrittenAnewFromWhatWasRead) {
  EXPECT_EQ(answered("HTTP/1.0 201 Made  so\r\nDATE: then\r\nX-Own:  a b \r\nx-own: c\r\n"
                     "Content-length: 3\r\n\r\n"),
            "HTTP/1.1 201 Made  so\r\n"
            "DATE: then\r\n"
            "X-Own: a b\r\n"
            "x-own: c\r\n"
            "x-request-id: id\r\n"
            "content-length: 3\r\n"
            "\r\n");
}

TEST_F(ResponseHead, HasNothingThatWasMeantForTheGateAlone) {
  const std::string head = answered(
      "HTTP/1.1 200 OK\r\nConnection: close, X-Listed\r\nX-Listed: secret\r\nKeep-Alive: a=1\r\n"
      "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n"
      "Server: origin/1.0\r\nX-Powered-By: magic\r\nX-Request-Id: theirs\r\nX-Kept: yes\r\n\r\n",
      body_coding::chunked);
  for (const char* text : {"onnection", "isted", "secret", "eep-", "roxy", "pgrade", "origin/1.0",
                           "magic", "theirs"}) {
    EXPECT_EQ(head.find(text), std::string::npos) << text;
  }
  EXPECT_TRUE(has(head, "X-Kept: yes"));
  EXPECT_TRUE(has(head, "transfer-encoding: chunked"));
  EXPECT_EQ(head.find("content-length"), std::string::npos);
}

TEST_F(ResponseHead, SaysWhenWhereTheOriginDoesNot) {
  exchange& x = asked(get);
  const std::string head = answered(x, "HTTP/1.1 204 No Content\r\n\r\n", body_coding::none);
  EXPECT_TRUE(has(head, "date: " + std::string(x.on->date()))) << head;
}

// RFC 9110 8.6: what a GET would bring.
TEST_F(ResponseHead, TheLengthOfABodyThatDoesNotComeStaysOnHeadAnd304Alone) {
  const std::string with_length = "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n";
  exchange& x = asked("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(answered(x, with_length, body_coding::none), "content-length: 77"));
  EXPECT_TRUE(
      has(answered("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", body_coding::none),
          "content-length: 77"));
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", body_coding::until_close)
                .find("content-length"),
            std::string::npos);
}

TEST_F(ResponseHead, SaysWhatBecomesOfTheConnection) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const auto connection = [&](std::string_view request) {
    const std::string head = answered(asked(request), answer, body_coding::length);
    return has(head, "connection: close")        ? "close"
           : has(head, "connection: keep-alive") ? "keep-alive"
                                                 : "";
  };
  EXPECT_STREQ(connection(get), "");
  EXPECT_STREQ(connection("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "close");
  EXPECT_STREQ(connection("GET / HTTP/1.0\r\n\r\n"), "close");
  EXPECT_STREQ(connection("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "keep-alive");
}

TEST_F(ResponseHead, SecurityHeadersReplaceTheOriginsButForItsPolicy) {
  configure(R"(
[security_headers]
Strict-Transport-Security = "max-age=1"
X-Frame-Options = "DENY"
Content-Security-Policy = "default-src 'self'"
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
)");
  std::string head = answered(
      "HTTP/1.1 200 OK\r\nX-Frame-Options: SAMEORIGIN\r\nStrict-Transport-Security: max-age=9\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_TRUE(has(head, "x-frame-options: DENY"));
  EXPECT_EQ(head.find("SAMEORIGIN"), std::string::npos);
  EXPECT_TRUE(has(head, "content-security-policy: default-src 'self'"));
  EXPECT_EQ(head.find("max-age"), std::string::npos);  // not over plain HTTP, whoever says it
  head = answered("HTTP/1.1 200 OK\r\nContent-Security-Policy: own\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(has(head, "Content-Security-Policy: own"));
  EXPECT_EQ(head.find("default-src"), std::string::npos);
}

TEST_F(ResponseHead, ARoutesOwnFieldsReplaceTheOrigins) {
  route("response_headers = { set = { X-Own = \"ours\" }, remove = [\"Set-Cookie\"] }\n");
  const std::string head =
      answered("HTTP/1.1 200 OK\r\nx-own: theirs\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(has(head, "x-own: ours"));
  EXPECT_EQ(head.find("theirs"), std::string::npos);
  EXPECT_EQ(head.find("a=b"), std::string::npos);
}

TEST_F(ResponseHead, SaysWhatIsLeftOfTheLimitsAndDropsWhatTheOriginSaysOfIts) {
  limits_ = R"(
[[limit]]
name = "shown"
rate = "60/m"
burst = 5
[[limit]]
name = "hidden"
rate = "60/m"
headers = false
)";
  route("limits = [\"shown\", \"hidden\"]");
  const std::string head = answered(
      "HTTP/1.1 200 OK\r\nRateLimit: theirs\r\nRateLimit-Policy: theirs\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_TRUE(has(head, "ratelimit-policy: \"shown\";q=5;w=5")) << head;
  EXPECT_TRUE(has(head, "ratelimit: \"shown\";r=4;t=1")) << head;
  EXPECT_EQ(head.find("theirs"), std::string::npos);
  EXPECT_EQ(head.find("hidden"), std::string::npos);
}

TEST_F(ResponseHead, SaysWhenItDoesNotFit) {
  exchange& x = asked(get);
  const std::string origins = "HTTP/1.1 200 OK\r\nX-Own: a\r\nContent-Length: 0\r\n\r\n";
  const std::string whole = answered(x, origins, body_coding::length);
  std::string room(whole.size(), '\0');
  for (std::size_t size = 0; size < whole.size(); ++size) {
    http::head_writer little({room.data(), size});
    EXPECT_FALSE(write_response_head(x, body_coding::length, little)) << size;
  }
}

}  // namespace
}  // namespace rw::gateway
