#include "auth/claims.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "auth/json.h"
#include "unit/auth/rule_table.h"

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

TEST(Claims, WithoutExpATokenLivesUntilMaxAge) {
  token_rules by = rules();
  by.require.clear();
  by.max_age = seconds(100);
  const outcome found = check(R"("sub":"a","iat":1700000050)", by);
  EXPECT_EQ(found.why, reason::none);
  EXPECT_EQ(found.valid_until, date(1'700'000'180));
  EXPECT_EQ(found.expires, numeric_date::max());
}

token_rules rules_of(testing::element row) {
  token_rules by = rules();
  if (!testing::has(row, "rules")) return by;
  const testing::element change = row["rules"];
  if (testing::has(change, "require")) by.require = testing::texts_of(change, "require");
  if (testing::has(change, "scopes")) by.scopes = testing::texts_of(change, "scopes");
  if (testing::has(change, "identity")) by.identity = testing::text_of(change, "identity");
  if (testing::has(change, "replay")) by.once = true;
  if (testing::has(change, "max_age")) by.max_age = seconds(testing::number_of(change, "max_age"));
  return by;
}

TEST(Claims, RulesOfTheTable) {
  const testing::rule_table table("claims.json");
  testing::both_ways tried;
  for (const testing::element row : table.rows()) {
    json_reader reader;
    const auto object = reader.parse(testing::text_of(row, "claims"));
    ASSERT_TRUE(object) << row;
    const token_rules by = rules_of(row);
    const auto found = check_claims(*object, by, now);
    const reason why = found ? found->why : found.error();
    EXPECT_EQ(name(why), testing::text_of(row, "why")) << row;
    tried.count(row, why == reason::none);
    const auto says = [&](const char* member, std::string_view value) {
      if (!testing::has(row, member)) return;
      EXPECT_EQ(value, testing::text_of(row, member)) << row;
    };
    if (!found) continue;
    says("identity", found->identity);
    says("scopes", found->scopes);
    says("bound", found->bound);
  }
}

}  // namespace
}  // namespace rw::auth
