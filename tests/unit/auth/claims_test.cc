#include "auth/claims.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "auth/json.h"

namespace rw::auth {
namespace {

using std::chrono::seconds;

constexpr wall_time now{seconds(1'700'000'100)};

token_rules rules() {
  config::jwt_issuer from;
  from.issuer = "i";
  from.audiences = {"first", "second"};
  return token_rules(from);
}

struct outcome {
  reason why = reason::none;
  std::string identity;
  std::string scopes;
  std::string rate;
  numeric_date expires;
  numeric_date valid_from;
  numeric_date valid_until;
};

// `more` joins iss and aud; every claim else is the test's.
outcome check(std::string_view more, const token_rules& by = rules(), wall_time at = now) {
  json_reader reader;
  const auto object = reader.parse(fmt::format(R"({{"iss":"i","aud":"second",{}}})", more));
  EXPECT_TRUE(object) << more;
  if (!object) return {.why = reason::malformed};
  const auto found = check_claims(*object, by, at);
  if (!found) return {.why = found.error()};
  return {found->why,        std::string(found->identity),
          found->scopes,     std::string(found->rate),
          found->expires,    found->valid_from,
          found->valid_until};
}

numeric_date date(double s) {
  return numeric_date(std::chrono::microseconds(static_cast<std::int64_t>(s * 1e6)));
}

TEST(Claims, SayWhoAndUntilWhen) {
  const outcome found =
      check(R"("sub":"alice","iat":1700000000,"nbf":1700000010,"exp":1700000200.25)");
  EXPECT_EQ(found.why, reason::none);
  EXPECT_EQ(found.identity, "alice");
  EXPECT_EQ(found.expires, date(1'700'000'200.25));
  EXPECT_EQ(found.valid_until, date(1'700'000'230.25));
  EXPECT_EQ(found.valid_from, date(1'700'000'010 - 30));
  EXPECT_EQ(found.scopes, "");
}

TEST(Claims, MayGiveTheCallerARate) {
  token_rules by = rules();
  const auto rated = [&](std::string_view claim) {
    return check(fmt::format(R"("sub":"a","exp":1700000200,{})", claim), by);
  };
  EXPECT_EQ(rated(R"("rate":7)").why, reason::none);  // nobody asked for it
  by.rate_claim = "rate";
  EXPECT_EQ(rated(R"("rate":"250/m")").rate, "250/m");
  EXPECT_EQ(rated(R"("rates":"250/m")").rate, "");
  for (const char* bad :
       {"7", "null", "[\"1/s\"]", "\"\"", "\"10\"", "\"0/s\"", "\"1/d\"", "\"off\"", "\"-1/s\"",
        "\"18446744073709551616/s\"", "\"00000000000000000000001/s\""}) {
    EXPECT_EQ(rated(fmt::format(R"("rate":{})", bad)).why, reason::bad_claim) << bad;
  }
}

TEST(Claims, WindowIsExact) {
  token_rules by = rules();
  by.leeway = std::chrono::microseconds(0);
  const std::string_view text = R"("sub":"a","iat":1700000000,"exp":1700000100.5)";
  const auto at = [&](std::int64_t nanos) {
    return check(text, by, wall_time(seconds(1'700'000'100)) + nanoseconds(nanos)).why;
  };
  EXPECT_EQ(at(499'999'999), reason::none);
  EXPECT_EQ(at(500'000'000), reason::expired);
  EXPECT_EQ(check(text, by, wall_time(seconds(1'700'000'000))).why, reason::none);
  EXPECT_EQ(check(text, by, wall_time(seconds(1'700'000'000)) - nanoseconds(1)).why,
            reason::not_yet_valid);
}

TEST(Claims, MaxAge) {
  token_rules by = rules();
  by.require.clear();
  by.max_age = seconds(100);
  EXPECT_EQ(check(R"("sub":"a","iat":1700000050,"exp":1700000150)", by).why, reason::none);
  EXPECT_EQ(check(R"("sub":"a","iat":1700000050,"exp":1700000151)", by).why, reason::too_old);
  EXPECT_EQ(check(R"("sub":"a","exp":1700000230)", by).why, reason::none);
  EXPECT_EQ(check(R"("sub":"a","exp":1700000231)", by).why, reason::too_old);
  // Without exp it lives until iat + max_age.
  const outcome found = check(R"("sub":"a","iat":1700000050)", by);
  EXPECT_EQ(found.why, reason::none);
  EXPECT_EQ(found.valid_until, date(1'700'000'180));
  EXPECT_EQ(found.expires, numeric_date::max());
  EXPECT_EQ(check(R"("sub":"a","iat":1699999970)", by).why, reason::too_old);
  EXPECT_EQ(check(R"("sub":"a")", by).why, reason::too_old);
  by.max_age = seconds(0);
  EXPECT_EQ(check(R"("sub":"a")", by).why, reason::none);
  EXPECT_EQ(check(R"("sub":"a","exp":253402300799)", by).why, reason::none);
  EXPECT_EQ(check(R"("sub":"a","exp":1e11)", by).why, reason::none);
}

TEST(Claims, RequiredOnes) {
  token_rules by = rules();
  by.require = {"exp", "jti", "tenant"};
  EXPECT_EQ(check(R"("sub":"a","exp":1700000150,"jti":"1")", by).why, reason::missing_claim);
  EXPECT_EQ(check(R"("sub":"a","exp":1700000150,"jti":"1","tenant":null)", by).why, reason::none);
}

TEST(Claims, IdentityMayBeAnother) {
  token_rules by = rules();
  by.identity = "client_id";
  EXPECT_EQ(check(R"("sub":"a","exp":1700000150)", by).why, reason::missing_claim);
  EXPECT_EQ(check(R"("client_id":"robot-7","exp":1700000150)", by).identity, "robot-7");
  EXPECT_EQ(check(R"("client_id":")" + std::string(256, 'x') + R"(","exp":1700000150)", by).why,
            reason::none);
}

TEST(Claims, ScopesInEveryForm) {
  token_rules by = rules();
  by.scopes = {"read", "write"};
  const auto with = [&](std::string_view scope) {
    return check(fmt::format(R"("sub":"a","exp":1700000150,{})", scope), by);
  };
  EXPECT_EQ(with(R"("scope":"read write")").why, reason::none);
  EXPECT_EQ(with(R"("scope":"x  write read")").scopes, "x  write read");
  EXPECT_EQ(with(R"("scp":"write read")").why, reason::none);
  EXPECT_EQ(with(R"("scp":["write","read"])").scopes, "write read");
  EXPECT_EQ(with(R"("scp":["write"],"scope":"read")").scopes, "read write");
  for (const char* less : {R"("scope":"read")", R"("scope":"")", R"("scp":[])",
                           R"("scope":"READ WRITE")", R"("scope":"readwrite")",
                           R"("scope":"read writes")", R"("x":1)", R"("scope":"read,write")"}) {
    const outcome found = with(less);
    EXPECT_EQ(found.why, reason::insufficient_scope) << less;
    EXPECT_EQ(found.identity, "a");
  }
}

}  // namespace
}  // namespace rw::auth
