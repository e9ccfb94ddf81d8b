#include "gateway/header_rules.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rw::gateway {
namespace {

http::field named(std::string_view name) { return {name, "", http::identify(name), false}; }

const resolved_headers security = {{"strict-transport-security", "max-age=1"},
                                   {"x-content-type-options", "nosniff"},
                                   {"content-security-policy", "default-src 'self'"}};

TEST(NameSet, IsEmptyAtFirst) {
  const name_set none;
  for (const char* name : {"cookie", "x-own", "x"}) EXPECT_FALSE(none.contains(named(name)));
}

TEST(NameSet, HasWhatWasAddedInAnyCase) {
  name_set some;
  some.add("cookie");  // a name with an id
  some.add("x-own");   // and one without
  for (const char* name : {"cookie", "Cookie", "COOKIE", "x-own", "X-Own", "X-OWN"}) {
    EXPECT_TRUE(some.contains(named(name))) << name;
  }
  for (const char* name : {"set-cookie", "cookies", "x-owl", "x-ow", "x-own-", "own"}) {
    EXPECT_FALSE(some.contains(named(name))) << name;
  }
}

TEST(NameSet, TellsLongNamesApart) {
  name_set some;
  some.add(std::string(63, 'a'));
  some.add(std::string(300, 'b'));
  EXPECT_TRUE(some.contains(named(std::string(63, 'A'))));
  EXPECT_TRUE(some.contains(named(std::string(300, 'b'))));
  EXPECT_FALSE(some.contains(named(std::string(62, 'a'))));
  EXPECT_FALSE(some.contains(named(std::string(64, 'a'))));
  EXPECT_FALSE(some.contains(named(std::string(299, 'b'))));
}

TEST(RequestRules, NobodysCopyOfAnyRoutesIdentityPasses) {
  config::route route;
  route.forward_identity = "x-who";
  const request_rules rules =
      make_request_rules(route, nullptr, {}, {"x-auth-identity", "x-who", "x-third"});
  EXPECT_EQ(rules.identity_name, "x-who");
  for (const char* name : {"X-Auth-Identity", "X-Who", "x-third"}) {
    EXPECT_TRUE(rules.removed.contains(named(name))) << name;
  }
}

TEST(RequestRules, WhatIsSetReplacesTheClients) {
  random_init();  // for the secret that its values are kept in
  config::route route;
  route.request_remove = {"cookie", "x-debug"};
  const request_rules rules =
      make_request_rules(route, nullptr, {{"x-tenant", "one"}, {"accept", "*/*"}}, {});
  ASSERT_TRUE(rules.added);
  EXPECT_EQ(rules.added->view(), "x-tenant: one\r\naccept: */*\r\n");
  for (const char* name : {"x-tenant", "accept", "cookie", "x-debug"}) {
    EXPECT_TRUE(rules.removed.contains(named(name))) << name;
  }
  EXPECT_FALSE(rules.removed.contains(named("accept-encoding")));
}

TEST(RequestRules, HostIsTheClientsUnlessTheUpstreamSaysOtherwise) {
  const config::route route;
  config::upstream to;
  to.host_literal = "ignored.example";
  request_rules rules = make_request_rules(route, &to, {}, {});
  EXPECT_FALSE(rules.upstream_host);
  EXPECT_EQ(rules.host, "");
  to.host = config::host_rule::upstream;
  rules = make_request_rules(route, &to, {}, {});
  EXPECT_TRUE(rules.upstream_host);
  EXPECT_EQ(rules.host, "");
  to.host = config::host_rule::literal;
  to.host_literal = "api.example";
  rules = make_request_rules(route, &to, {}, {});
  EXPECT_FALSE(rules.upstream_host);
  EXPECT_EQ(rules.host, "api.example");
}

TEST(RequestRules, CredentialsPassOnlyWhereTheRouteSaysSo) {
  config::route route;
  EXPECT_FALSE(make_request_rules(route, nullptr, {}, {}).credentials);
  route.forward_credentials = true;
  EXPECT_TRUE(make_request_rules(route, nullptr, {}, {}).credentials);
}

TEST(ResponseRules, SecurityHeadersReplaceTheOriginsButForItsPolicy) {
  const response_rules rules = make_response_rules({}, {}, security);
  EXPECT_EQ(rules.added_plain, "x-content-type-options: nosniff\r\n");
  EXPECT_EQ(rules.added_tls,
            "strict-transport-security: max-age=1\r\nx-content-type-options: nosniff\r\n");
  EXPECT_EQ(rules.policy, "content-security-policy: default-src 'self'\r\n");
  EXPECT_TRUE(rules.removed.contains(named("X-Content-Type-Options")));
  EXPECT_FALSE(rules.removed.contains(named("content-security-policy")));
}

// Over plain HTTP it would be ours to say nothing; an origin's must not slip through.
TEST(ResponseRules, TheOriginsStrictTransportSecurityIsRemovedWithoutTlsToo) {
  const response_rules rules = make_response_rules({}, {}, security);
  EXPECT_TRUE(rules.removed.contains(named("strict-transport-security")));
}

TEST(ResponseRules, ARouteWithoutSecurityHeadersLeavesTheOriginsAlone) {
  config::route route;
  route.security_headers = false;
  const response_rules rules = make_response_rules(route, {}, security);
  EXPECT_EQ(rules.added_plain + rules.added_tls + rules.policy, "");
  EXPECT_FALSE(rules.removed.contains(named("x-content-type-options")));
}

TEST(ResponseRules, WhatARouteSetsReplacesOursAndTheOrigins) {
  const response_rules rules = make_response_rules({},
                                                   {{"x-content-type-options", "own"},
                                                    {"content-security-policy", "none"},
                                                    {"strict-transport-security", "max-age=2"}},
                                                   security);
  const std::string_view set =
      "x-content-type-options: own\r\ncontent-security-policy: none\r\n"
      "strict-transport-security: max-age=2\r\n";
  EXPECT_EQ(rules.added_plain, set);
  EXPECT_EQ(rules.added_tls, set);
  EXPECT_EQ(rules.policy, "");
  EXPECT_TRUE(rules.removed.contains(named("content-security-policy")));
}

TEST(ResponseRules, WhatARouteRemovesOfTheOriginsStaysOursToAdd) {
  config::route route;
  route.response_remove = {"server", "x-content-type-options"};
  const response_rules rules = make_response_rules(route, {}, security);
  EXPECT_TRUE(rules.removed.contains(named("Server")));
  EXPECT_EQ(rules.added_plain, "x-content-type-options: nosniff\r\n");
}

TEST(ResponseRules, AnswersOutsideAnyRouteHaveTheSecurityHeaders) {
  const response_rules rules = make_default_response_rules(security);
  EXPECT_EQ(rules.added_plain, "x-content-type-options: nosniff\r\n");
  EXPECT_EQ(rules.policy, "content-security-policy: default-src 'self'\r\n");
}

}  // namespace
}  // namespace rw::gateway
