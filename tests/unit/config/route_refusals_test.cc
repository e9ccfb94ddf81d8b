// What is refused in a route, and which routes no request reaches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct refusal {
  std::string_view text;  // begins on line 18
  std::string_view line;  // what is printed
};

class RouteRefusals : public ::testing::TestWithParam<refusal> {};

TEST_P(RouteRefusals, AreOneLineWithAPlace) {
  EXPECT_THAT(after_upstream(GetParam().text), ElementsAre(GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    Names, RouteRefusals,
    ::testing::Values(
        refusal{"[[route]]\nname = \"r\"\npath = \"/\"\nauth = []",
                "t:18:1: error: route.upstream: required"},
        refusal{"[[route]]\nname = \"r\"\npath = \"/\"\nauth = []\nupstream = \"orgin\"",
                "t:22:12: error: route.upstream: there is no upstream \"orgin\"; did you mean "
                "\"origin\"?"},
        refusal{"[[route]]\nname = \"r\"\npath = \"/\"\nauth = []\nupstream = \"origin\"\n"
                "limits = [\"per_ip\"]",
                "t:23:11: error: route.limits: there is no limit \"per_ip\"; did you mean "
                "\"per-ip\"?"},
        refusal{"[[route]]\nname = \"r\"\npath = \"/\"\nauth = []\nupstream = \"origin\"\n"
                "limits = [\"per-ip\", \"per-ip\"]",
                "t:23:21: error: route.limits: \"per-ip\" is given twice"},
        refusal{"[[route]]\nname = \"used\"\npath = \"/\"\nauth = []\nupstream = \"origin\"",
                "t:19:8: error: route.name: \"used\" is already at t:12:8"},
        refusal{"[[route]]\nname = \"r\"\npath = \"/\"\nupstream = \"origin\"",
                "t:18:1: error: route.auth: required: auth = [] makes the route open to everyone"},
        refusal{
            "[[route]]\nname = \"r\"\npath = \"/\"\nauth = [\"jwt:main\"]\nupstream = \"origin\"",
            "t:21:9: error: route.auth: there is no [auth.jwt.main]"},
        refusal{
            "[[route]]\nname = \"r\"\npath = \"/\"\nauth = [\"mtls\"]\nupstream = \"origin\"",
            "t:21:9: error: route.auth: \"mtls\" needs a [[listener]] whose tls has client_auth"},
        refusal{
            "[[route]]\nname = \"r\"\npath = \"/\"\nauth = [\"api_key\"]\nupstream = \"origin\"",
            "t:21:9: error: route.auth: must be one of \"api_keys\", \"jwt:NAME\", \"mtls\"; did "
            "you mean \"api_keys\"?"},
        refusal{
            "[[limit]]\nname = \"who\"\nrate = \"1/s\"\nby = \"client.ip+identity\"\n[[route]]\n"
            "name = \"r\"\npath = \"/\"\nauth = []\nupstream = \"origin\"\nlimits = [\"who\"]",
            "t:27:11: error: route.limits: \"who\" goes by identity, which a route open to "
            "everyone lacks"}));

INSTANTIATE_TEST_SUITE_P(
    Match, RouteRefusals,
    ::testing::Values(
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"",
                "t:18:1: error: route.path_prefix: required: or path, for one exact path"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/a\"\n"
                "path_prefix = \"/a\"",
                "t:22:8: error: route.path: goes without path_prefix: give one of them"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath_prefix = \"api\"",
                "t:22:15: error: route.path_prefix: must begin with \"/\""},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath_prefix = \"/a//b\"",
            "t:22:15: error: route.path_prefix: must not contain \"//\": a normalised path never "
            "does"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/a/..\"",
            "t:22:8: error: route.path: must not have \".\" or \"..\" as a segment: a normalised "
            "path never does"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/%61\"",
            "t:22:8: error: route.path: must not escape letters, digits, \"-\", \".\", \"_\" or "
            "\"~\": a normalised path never does"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/..;x/a\"",
            "t:22:8: error: route.path: must not have \".\" or \"..\" as a segment: a normalised "
            "path never does"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/%0A\"",
            "t:22:8: error: route.path: must not escape control characters: no request with one "
            "is let through"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/%2f\"",
            "t:22:8: error: route.path: must write % as two upper-case hexadecimal digits, as in "
            "%20"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/caf\xc3\xa9\"",
            "t:22:8: error: route.path: has a character that a path must escape, as in %20 for a "
            "space"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/a?b\"",
                "t:22:8: error: route.path: must not have a query or a fragment"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/\"\n"
                "hosts = [\"api.example:443\"]",
                "t:23:10: error: route.hosts: \"api.example:443\" must not have a port: hosts are "
                "compared without one"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/\"\n"
                "hosts = [\"api.*.example\"]",
                "t:23:10: error: route.hosts: \"api.*.example\" may have \"*\" only as its first "
                "label, as in \"*.example\""},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/\"\nhosts = []",
            "t:23:9: error: route.hosts: must not be empty; [\"*\"] is every host"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/\"\n"
            "methods = [\"get\"]",
            "t:23:12: error: route.methods: \"get\" must be upper case: methods are told apart by "
            "case"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/\"\n"
                "methods = [\"GET\", \"GET\"]",
                "t:23:19: error: route.methods: \"GET\" is given twice"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\nupstream = \"origin\"\npath = \"/\"\n"
                "methods = [\"CONNECT\"]",
                "t:23:12: error: route.methods: \"CONNECT\" is not forwarded"}));

INSTANTIATE_TEST_SUITE_P(
    Action, RouteRefusals,
    ::testing::Values(
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"prxy\"\nupstream = "
                "\"origin\"",
                "t:22:10: error: route.action: must be one of \"proxy\", \"mint\", \"jwks\", "
                "\"redirect\", \"respond\"; did you mean \"proxy\"?"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"jwks\"",
                "t:22:10: error: route.action: \"jwks\" needs [auth.mint]"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"respond\"\nupstream = "
            "\"origin\"",
            "t:23:1: error: route.upstream: is for action proxy"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"redirect\"",
                "t:18:1: error: route.redirect: required"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"redirect\"\nredirect = "
            "\"//evil{path}\"",
            "t:23:12: error: route.redirect: must not begin with \"//\": that names another host"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"redirect\"\nredirect = "
            "\"/{path}\"",
            "t:23:12: error: route.redirect: must not begin with \"/{path}\": a path has its "
            "slash, "
            "and \"//\" names another host"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"redirect\"\nredirect = "
            "\"https://{hots}/\"",
            "t:23:12: error: route.redirect: may have {host}, {path} and {query} in braces, "
            "nothing else"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"redirect\"\nredirect = "
            "\"/x\"\nstatus = 304",
            "t:24:10: error: route.status: must be 301, 302, 303, 307 or 308"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\naction = \"respond\"\nstatus = 204\n"
            "body = \"x\"",
            "t:23:10: error: route.status: has no body (RFC 9110 15.3.5, 15.3.6, 15.4.5)"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "strip_prefix = true",
                "t:23:16: error: route.strip_prefix: needs path_prefix"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
            "max_body = \"-1\"",
            "t:23:12: error: route.max_body: must be a size such as \"64KiB\": a whole number and "
            "B, KiB, MiB or GiB"},
        refusal{
            "[auth.mint]\nkey = { env = \"K\" }\nissuer = \"i\"\naudience = \"a\"\n[auth.jwt.m]\n"
            "issuer = \"i\"\naudiences = [\"a\"]\njwks = { mint = true }\n[[route]]\n"
            "name = \"r\"\nauth = [\"api_keys\", \"jwt:m\"]\npath = \"/token\"\naction = \"mint\"",
            "t:28:8: error: route.auth: of a route that mints must be [\"api_keys\"]: tokens are "
            "given for keys"}));

INSTANTIATE_TEST_SUITE_P(
    Headers, RouteRefusals,
    ::testing::Values(
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
            "request_headers.set = { Host = \"a\" }",
            "t:23:25: error: route.request_headers.set.Host: frames the message or belongs to one "
            "connection; Ringward alone sets and removes it"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "request_headers.set = { \"a b\" = \"a\" }",
                "t:23:25: error: route.request_headers.set.a b: is not a header name"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
            "response_headers.set = { x-a = \"a\\r\\nx-b: c\" }",
            "t:23:32: error: route.response_headers.set.x-a: must be printable ASCII on one line"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
            "request_headers.set = { Authorization = \"Bearer hunter2\" }",
            "t:23:41: error: route.request_headers.set.Authorization: a secret is never written "
            "here: give one of { file = \"/path\" }, { credential = \"name\" } or { env = "
            "\"NAME\" }"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "request_headers.set = { x-a = \"1\", X-A = \"2\" }",
                "t:23:25: error: route.request_headers.set.x-a: given twice"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
            "response_headers.remove = [\"Content-Length\"]",
            "t:23:27: error: route.response_headers.remove: content-length frames the message or "
            "belongs to one connection; Ringward alone sets and removes it"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "request_headers.set = { X_A = \"1\" }",
                "t:23:25: error: route.request_headers.set.X_A: must not have an underscore: only "
                "names in the answers of origins may"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "request_headers.remove = [\"x_a\"]",
                "t:23:27: error: route.request_headers.remove: must not have an underscore: only "
                "names in the answers of origins may"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "forward_identity = \"X_Who\"",
                "t:23:20: error: route.forward_identity: must not have an underscore: only "
                "names in the answers of origins may"},
        refusal{"[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                "forward_identity = \"X-Api-Key\"",
                "t:23:20: error: route.forward_identity: must not be a header that clients send "
                "credentials in"},
        refusal{
            "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
            "request_headers.set = { x-auth-identity = \"root\" }",
            "t:23:23: error: route.request_headers.set: x-auth-identity is set from the identity: "
            "forward_identity"}));

TEST(RouteAction, WhatAsksForNothingMayBeWritten) {
  EXPECT_THAT(
      after_upstream("[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                     "redirect = \"\"\nbody = \"\"\nstrip_prefix = false\n"),
      IsEmpty());
}

TEST(RouteLimits, AreBounded) {
  std::string names;
  std::string limits;
  for (int i = 0; i < 17; ++i) {
    const std::string name = "l" + std::to_string(i);
    limits += "[[limit]]\nname = \"" + name + "\"\nrate = \"1/s\"\n";
    names += "\"" + name + "\",";
  }
  EXPECT_THAT(after_upstream(limits +
                             "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = "
                             "\"origin\"\nlimits = [" +
                             names + "]"),
              ElementsAre("t:74:10: error: route.limits: a route has at most 16 limits"));
}

TEST(RouteNotYet, EveryKeyIsRefusedByName) {
  const auto lines = after_upstream(
      "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
      "upgrade = [\"h2c\"]\nheartbeat = \"1ms\"\n");
  EXPECT_THAT(lines, ElementsAre("t:23:12: error: route.upgrade: must be \"websocket\"",
                                 HasSubstr("route.heartbeat: must be")));
  EXPECT_THAT(after_upstream("[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\n"
                             "action = \"respond\"\nheartbeat = \"15s\"\n"),
              ElementsAre("t:23:13: error: route.heartbeat: is for the answers of an origin, and "
                          "this action has none"));
  EXPECT_EQ(
      must_parse(std::string(with_upstream) + "[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\n"
                                              "upstream = \"origin\"\nheartbeat = \"15s\"\n")
          .routes[1]
          .heartbeat,
      std::chrono::seconds{15});
  EXPECT_THAT(
      after_upstream("[[route]]\nname = \"r\"\nauth = []\npath = \"/\"\nupstream = \"origin\"\n"
                     "countries = []\nend_at_expiry = true\nupgrade = []\n"
                     "heartbeat = \"off\"\n"),
      IsEmpty());
}

// Two routes after each other; whether the second is said to be out of reach.
bool is_unreachable(std::string_view first, std::string_view second) {
  std::string text(with_upstream);
  for (const auto& [name, keys] : {std::pair("first", first), std::pair("second", second)}) {
    text += std::string("[[route]]\nname = \"") + name + "\"\nauth = []\nupstream = \"origin\"\n" +
            std::string(keys) + "\n";
  }
  const auto lines = complaints(text);
  EXPECT_LE(lines.size(), 1U) << lines.at(0);
  return !lines.empty() && lines[0].contains("no request reaches \"second\": \"first\" at t:18:1");
}

TEST(Unreachable, IsWhatEarlierRoutesTakeWholly) {
  EXPECT_TRUE(is_unreachable("path_prefix = \"/\"", "path_prefix = \"/api\""));
  EXPECT_TRUE(is_unreachable("path_prefix = \"/api\"", "path = \"/api\""));
  EXPECT_TRUE(is_unreachable("path_prefix = \"/api\"", "path_prefix = \"/api/\""));
  EXPECT_TRUE(is_unreachable("path_prefix = \"/api/\"", "path_prefix = \"/api/x/y\""));
  EXPECT_TRUE(is_unreachable("path = \"/a\"", "path = \"/a\"\nhosts = [\"x.example\"]"));
  EXPECT_TRUE(is_unreachable("path = \"/a\"\nhosts = [\"*.example\"]",
                             "path = \"/a\"\nhosts = [\"x.example\", \"*.y.example\"]"));
  EXPECT_TRUE(is_unreachable("path = \"/a\"\nmethods = [\"GET\", \"POST\"]",
                             "path = \"/a\"\nmethods = [\"HEAD\", \"POST\"]"));
}

TEST(Unreachable, IsNotWhatSomeRequestReaches) {
  EXPECT_FALSE(is_unreachable("path_prefix = \"/api\"", "path_prefix = \"/\""));
  EXPECT_FALSE(is_unreachable("path_prefix = \"/api\"", "path_prefix = \"/apix\""));
  EXPECT_FALSE(is_unreachable("path_prefix = \"/api/\"", "path = \"/api\""));
  EXPECT_FALSE(is_unreachable("path = \"/api\"", "path_prefix = \"/api\""));
  EXPECT_FALSE(is_unreachable("path = \"/a\"\nhosts = [\"x.example\"]", "path = \"/a\""));
  EXPECT_FALSE(is_unreachable("path = \"/a\"\nhosts = [\"*.example\"]",
                              "path = \"/a\"\nhosts = [\"example\"]"));
  EXPECT_FALSE(is_unreachable("path = \"/a\"\nmethods = [\"GET\"]", "path = \"/a\""));
  EXPECT_FALSE(
      is_unreachable("path = \"/a\"\nmethods = [\"HEAD\"]", "path = \"/a\"\nmethods = [\"GET\"]"));
}

}  // namespace
}  // namespace rw::config
