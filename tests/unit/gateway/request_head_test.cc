#include <array>

#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

class RequestHead : public test::GatewayTest {
 protected:
  void SetUp() override { peer_ = from("192.0.2.7"); }

  // What the origin gets of it, by the first route that takes it; its request id is "id".
  std::string forwarded(std::string_view head) {
    exchange& x = decided(head);
    return written(x);
  }
  exchange& decided(std::string_view head) {
    exchange& x = ask(head);
    decide(x);
    EXPECT_TRUE(x.decision.admitted()) << x.decision.reason;
    x.request_id = "id";
    x.trace.set_parent(0x0123456789abcdef);
    return x;
  }
  static std::string written(exchange& x) {
    std::array<char, 4096> room;
    http::head_writer out(room);
    EXPECT_TRUE(write_request_head(x, x.state->upstreams[0].servers[0], out));
    return std::string(out.view());
  }
  void route(std::string_view more) {
    configure(
        fmt::format("[[route]]\nname = \"all\"\npath_prefix = \"/\"\n"
                    "upstream = \"origin\"\nauth = []\n{}",
                    more));
  }
  // With a listener that trusts 10.0.0.0/8 and 2001:db8::/32.
  void trusting() {
    configure_all(R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
client_address_from = ["10.0.0.0/8", "2001:db8::/32"]
[[upstream]]
name = "origin"
servers = [{ address = "192.0.2.1:80" }]
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
)");
  }
};

std::string with(const std::string& lines, const std::string& start = "GET / HTTP/1.1") {
  return start + "\r\nHost: gate.example\r\n" + lines + "\r\n";
}

// The lines of a head with this name, whole.
std::string lines_of(const std::string& head, const std::string& name) {
  std::string found;
  for (std::size_t at = 0; at < head.size();) {
    const std::size_t end = head.find("\r\n", at);
    const std::string line = head.substr(at, end - at);
    if (line.starts_with(name + ": ")) found += line.substr(name.size() + 2) + "\n";
    at = end + 2;
  }
  return found;
}

TEST_F(RequestHead, IsWrittenAnewFromWhatWasRead) {
  route("");
  EXPECT_EQ(forwarded("GET /a/../b//c?x=1&y HTTP/1.1\r\nhOST: Gate.Example:80\r\n"
                      "ACCEPT:  text/plain \r\nx-Own:\t\r\n"
                      "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n"
                      "\r\n"),
            "GET /b/c?x=1&y HTTP/1.1\r\n"
            "host: Gate.Example:80\r\n"
            "ACCEPT: text/plain\r\n"
            "x-Own: \r\n"
            "x-forwarded-for: 192.0.2.7\r\n"
            "x-forwarded-proto: http\r\n"
            "x-forwarded-host: Gate.Example:80\r\n"
            "x-real-ip: 192.0.2.7\r\n"
            "forwarded: for=192.0.2.7;proto=http;host=\"Gate.Example:80\"\r\n"
            "x-request-id: id\r\n"
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-0123456789abcdef-00\r\n"
            "\r\n");
}

// W3C Trace Context 3.2, 3.3.
TEST_F(RequestHead, ATraceGoesOnWithItsStateOrBeginsAnewWithout) {
  route("");
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const std::string state = "tracestate: a=1\r\nTraceState: b=2\r\n";
  std::string head = forwarded(with("traceparent: " + trace + "\r\n" + state));
  EXPECT_EQ(lines_of(head, "traceparent"),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0123456789abcdef-01\n");
  EXPECT_EQ(lines_of(head, "tracestate") + lines_of(head, "TraceState"), "a=1\nb=2\n");
  std::string before;
  for (const std::string& lines :
       {std::string(), "traceparent: " + trace + "-x\r\n",
        "traceparent: " + trace + "\r\ntraceparent: " + trace + "\r\n",
        std::string("traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n")}) {
    head = forwarded(with(lines + state));
    const std::string made = lines_of(head, "traceparent");
    EXPECT_EQ(made.size(), 56U) << made;
    EXPECT_TRUE(made.ends_with("-0123456789abcdef-01\n")) << made;
    EXPECT_EQ(made.find("4bf92f3577b34da6a3ce929d0e0e4736"), std::string::npos);
    EXPECT_NE(made, before);
    before = made;
    EXPECT_EQ(lines_of(head, "tracestate") + lines_of(head, "TraceState"), "");
  }
}

TEST_F(RequestHead, ARouteMayRemoveOrSetTraceparent) {
  route("request_headers = { remove = [\"traceparent\"] }");
  EXPECT_EQ(lines_of(forwarded(with("")), "traceparent"), "");
  route("request_headers = { set = { traceparent = \"own\" } }");
  EXPECT_EQ(lines_of(forwarded(with("")), "traceparent"), "own\n");
}

// RFC 7239 4: behind a quote that nobody closes, what we say would be a part of it.
TEST_F(RequestHead, WhatATrustedPeerForwardsBrokenStopsHere) {
  trusting();
  peer_ = from("10.0.0.1");
  const std::string head = forwarded(
      with("Forwarded: for=\"evil\r\nForwarded: for=1.2.3.4;proto=https\r\nForwarded: a b\r\n"));
  EXPECT_EQ(lines_of(head, "forwarded"),
            "for=1.2.3.4;proto=https, for=10.0.0.1;proto=http;host=\"gate.example\"\n");
}

TEST_F(RequestHead, HasNothingThatWasMeantForTheGateAlone) {
  route("");
  const std::string head = forwarded(
      with("Connection: keep-alive, X-Listed, TE\r\nX-Listed: secret\r\nKeep-Alive: timeout=5\r\n"
           "TE: trailers\r\nUpgrade: websocket\r\nProxy-Connection: keep-alive\r\n"
           "Proxy-Authorization: Basic eA==\r\nExpect: 100-continue\r\nContent-Length: 0\r\n"
           "X-Kept: yes\r\n"));
  for (const char* name : {"Connection", "X-Listed", "Keep-Alive", "TE", "Upgrade", "Expect",
                           "Proxy-Connection", "Proxy-Authorization"}) {
    EXPECT_EQ(lines_of(head, name), "") << name;
  }
  EXPECT_EQ(head.find("secret"), std::string::npos);
  EXPECT_EQ(lines_of(head, "X-Kept"), "yes\n");
}

TEST_F(RequestHead, FramesABodyAsItCame) {
  route("");
  std::string head = forwarded(with("Content-Length: 3\r\n", "POST / HTTP/1.1"));
  EXPECT_EQ(lines_of(head, "content-length"), "3\n");
  EXPECT_EQ(lines_of(head, "transfer-encoding"), "");
  head = forwarded(with("Transfer-Encoding: Chunked\r\n", "POST / HTTP/1.1"));
  EXPECT_EQ(lines_of(head, "transfer-encoding"), "chunked\n");
  EXPECT_EQ(lines_of(head, "content-length"), "");
  head = forwarded(with("Content-Length: 0\r\n", "POST / HTTP/1.1"));
  EXPECT_EQ(lines_of(head, "content-length"), "0\n");
}

TEST_F(RequestHead, AStrangersStoryOfWhereItComesFromIsDropped) {
  trusting();
  const std::string head = forwarded(
      with("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
           "X-Forwarded-Port: 443\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"
           "X-Request-Id: mine\r\n"));
  EXPECT_EQ(head.find("1.2.3.4"), std::string::npos);
  EXPECT_EQ(head.find("evil"), std::string::npos);
  EXPECT_EQ(head.find("443"), std::string::npos);
  EXPECT_EQ(head.find("mine"), std::string::npos);
  EXPECT_EQ(lines_of(head, "x-forwarded-for"), "192.0.2.7\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-proto"), "http\n");
}

TEST_F(RequestHead, ATrustedPeersStoryGoesOnInOneLineEach) {
  trusting();
  peer_ = from("10.0.0.1");
  const std::string head = forwarded(
      with("X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-For: 10.0.0.2\r\nForwarded: "
           "for=6.6.6.6\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Proto: HTTPS\r\n"
           "X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 6.6.6.6\r\n"));
  EXPECT_EQ(lines_of(head, "x-forwarded-for"), "6.6.6.6, 1.2.3.4, 10.0.0.2, 10.0.0.1\n");
  EXPECT_EQ(lines_of(head, "forwarded"),
            "for=6.6.6.6, for=1.2.3.4, for=10.0.0.1;proto=HTTPS;host=\"gate.example\"\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-proto"), "HTTPS\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-host"), "shop.example\n");
  EXPECT_EQ(lines_of(head, "x-real-ip"), "1.2.3.4\n");
  EXPECT_EQ(lines_of(head, "X-Forwarded-Port") + lines_of(head, "x-forwarded-port"), "");
}

TEST_F(RequestHead, WhatATrustedPeerSaysTwiceOrMadlyIsNotBelieved) {
  trusting();
  peer_ = from("10.0.0.1");
  std::string head = forwarded(
      with("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"
           "X-Forwarded-Host: b\r\n"));
  EXPECT_EQ(lines_of(head, "x-forwarded-proto"), "http\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-host"), "gate.example\n");
  head = forwarded(with("X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\r\n"));
  EXPECT_EQ(lines_of(head, "x-forwarded-proto"), "http\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-host"), "gate.example\n");
  head = forwarded(with("X-Forwarded-Host: " + std::string(256, 'a') + "\r\n"));
  EXPECT_EQ(lines_of(head, "x-forwarded-host"), "gate.example\n");
}

// RFC 7239 4 and 6.
TEST_F(RequestHead, ForwardedQuotesIPv6AndCallsAUnixPeerUnknown) {
  route("");
  peer_ = from("2001:db8::9");
  std::string head = forwarded(with(""));
  EXPECT_EQ(lines_of(head, "forwarded"),
            "for=\"[2001:db8::9]\";proto=http;host=\"gate.example\"\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-for"), "2001:db8::9\n");
  peer_ = from_unix();
  head = forwarded(with(""));
  EXPECT_EQ(lines_of(head, "forwarded"), "for=unknown;proto=http;host=\"gate.example\"\n");
}

TEST_F(RequestHead, CredentialsStopHere) {
  route("");
  const std::string credentials = "Authorization: Bearer x\r\nX-Api-Key: y\r\n";
  std::string head = forwarded(with(credentials));
  EXPECT_EQ(lines_of(head, "Authorization") + lines_of(head, "X-Api-Key"), "");
  route("forward_credentials = true");
  head = forwarded(with(credentials));
  EXPECT_EQ(lines_of(head, "Authorization") + lines_of(head, "X-Api-Key"), "Bearer x\ny\n");
}

TEST_F(RequestHead, TheIdentityIsOursToSay) {
  route("");
  const std::string forged = with("X-Auth-Identity: root\r\nx-auth-identity: root\r\n");
  exchange& x = decided(forged);
  EXPECT_EQ(written(x).find("root"), std::string::npos);
  x.caller.who.assign("alice");
  EXPECT_EQ(lines_of(written(x), "x-auth-identity"), "alice\n");
  EXPECT_EQ(written(x).find("root"), std::string::npos);
}

TEST_F(RequestHead, ARoutesOwnFieldsReplaceTheClients) {
  route("request_headers = { set = { X-Tenant = \"one\" }, remove = [\"Cookie\"] }\n");
  const std::string head = forwarded(with("x-tenant: two\r\nCookie: a=b\r\nX-Kept: yes\r\n"));
  EXPECT_EQ(lines_of(head, "x-tenant"), "one\n");
  EXPECT_EQ(lines_of(head, "Cookie"), "");
  EXPECT_EQ(lines_of(head, "X-Kept"), "yes\n");
}

TEST_F(RequestHead, HostIsAsTheUpstreamWantsIt) {
  const auto host_with = [&](const char* rule) {
    configure_all(fmt::format(R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[upstream]]
name = "origin"
servers = [{{ address = "192.0.2.1:80" }}]
{}
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
)",
                              rule));
    const std::string head = forwarded(with(""));
    EXPECT_EQ(lines_of(head, "x-forwarded-host"), "gate.example\n");
    return lines_of(head, "host");
  };
  EXPECT_EQ(host_with(""), "gate.example\n");
  EXPECT_EQ(host_with("host = \"upstream\""), "192.0.2.1\n");
  EXPECT_EQ(host_with("host = \"api.example\""), "api.example\n");
}

// HTTP/1.0 may come without one; the origin is asked by HTTP/1.1, which may not.
TEST_F(RequestHead, WithoutAHostTheServersNameIsIt) {
  route("");
  const std::string head = forwarded("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(lines_of(head, "host"), "192.0.2.1\n");
  EXPECT_EQ(lines_of(head, "x-forwarded-host"), "");
  EXPECT_EQ(lines_of(head, "forwarded"), "for=192.0.2.7;proto=http\n");
}

TEST_F(RequestHead, TheAbsoluteFormIsForwardedAsAPath) {
  route("");
  const std::string head = forwarded(with("", "GET http://gate.example/a?b HTTP/1.1"));
  EXPECT_TRUE(head.starts_with("GET /a?b HTTP/1.1\r\nhost: gate.example\r\n")) << head;
}

TEST_F(RequestHead, AStrippedPrefixIsNotForwarded) {
  configure(R"(
[[route]]
name = "api"
path_prefix = "/api"
upstream = "origin"
strip_prefix = true
auth = []
)");
  EXPECT_TRUE(forwarded(with("", "GET /api/x?y HTTP/1.1")).starts_with("GET /x?y HTTP/1.1\r\n"));
  EXPECT_TRUE(forwarded(with("", "GET /api?y HTTP/1.1")).starts_with("GET /?y HTTP/1.1\r\n"));
  EXPECT_TRUE(forwarded(with("", "GET /./api/ HTTP/1.1")).starts_with("GET / HTTP/1.1\r\n"));
}

TEST_F(RequestHead, SaysWhenItDoesNotFit) {
  route("");
  exchange& x = decided(with("X-Own: 1\r\n"));
  const std::string whole = written(x);
  std::string room(whole.size(), '\0');
  http::head_writer enough(room);
  EXPECT_TRUE(write_request_head(x, x.state->upstreams[0].servers[0], enough));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    http::head_writer little({room.data(), size});
    EXPECT_FALSE(write_request_head(x, x.state->upstreams[0].servers[0], little)) << size;
  }
}

}  // namespace
}  // namespace rw::gateway
