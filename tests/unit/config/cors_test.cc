// route.cors: what is taken and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/names.h"
#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// cors begins on line 23, column 1.
std::string with_cors(std::string_view table) {
  return std::string(with_upstream) +
         "[[route]]\nname = \"r\"\npath = \"/\"\nupstream = \"origin\"\nauth = []\ncors = " +
         std::string(table) + "\n";
}

cors cors_of(std::string_view table) { return must_parse(with_cors(table)).routes.back().cors; }

TEST(Cors, IsOffUntilOriginsAreNamed) {
  EXPECT_THAT(must_parse(with_upstream).routes.back().cors.origins, IsEmpty());
  EXPECT_THAT(cors_of("{ origins = [] }").origins, IsEmpty());
}

TEST(Cors, HasTheContractsDefaults) {
  const cors made = cors_of("{ origins = [\"https://app.example\"] }");
  EXPECT_THAT(made.origins, ElementsAre("https://app.example"));
  EXPECT_THAT(made.methods, ElementsAre("GET", "POST"));
  EXPECT_THAT(made.headers, ElementsAre("authorization", "content-type", "x-api-key"));
  EXPECT_FALSE(made.credentials);
  EXPECT_EQ(made.max_age, std::chrono::hours{1});
}

TEST(Cors, TakesWhatIsWritten) {
  const cors made = cors_of(
      "{ origins = [\"https://b.example\", \"https://a.example\"], methods = [\"PUT\"], "
      "headers = [\"X-One\"], credentials = true, max_age = \"5m\" }");
  EXPECT_THAT(made.origins, ElementsAre("https://a.example", "https://b.example"));
  EXPECT_THAT(made.methods, ElementsAre("PUT"));
  EXPECT_THAT(made.headers, ElementsAre("x-one"));
  EXPECT_TRUE(made.credentials);
  EXPECT_EQ(made.max_age, std::chrono::minutes{5});
}

TEST(Cors, TakesOriginsAsBrowsersWriteThem) {
  for (const char* one :
       {"https://app.example", "http://app.example:8080", "https://app.example:80", "http://a",
        "http://127.0.0.1:3000", "http://[::1]:3000", "https://[2001:db8::1]",
        "https://xn--bcher-kva.example", "chrome-extension://abcdefgh", "capacitor://localhost"}) {
    EXPECT_EQ(refuse_origin(one), "") << one;
  }
}

TEST(Cors, RefusesWhatNoBrowserSends) {
  const std::pair<const char*, const char*> rows[] = {
      {"app.example", "is not an origin"},
      {"", "is not an origin"},
      {"null", "sandboxed"},
      {"https://app.example/", "no path"},
      {"https://app.example/a", "no path"},
      {"https://App.example", "lower case"},
      {"HTTPS://app.example", "lower case"},
      {"https://app.example:443", "the scheme's own port"},
      {"http://app.example:80", "the scheme's own port"},
      {"https://app.example:", "a port that is none"},
      {"https://app.example:0", "a port that is none"},
      {"https://app.example:08080", "a port that is none"},
      {"https://app.example:65536", "a port that is none"},
      {"https://app.example:8a", "a port that is none"},
      {"https://*.example", "written out"},
      {"https://[2001:db8:0::1]", "shortest form"},
      {"https://[::ffff:1.2.3.4]", "shortest form"},
      {"https://[::1", "shortest form"},
      {"https://::1", "host name"},
      {"https://", "host name"},
      {"https://user@app.example", "host name"},
      {"https://b\xc3\xbc"
       "cher.example",
       "host name"},
      {"https://a b", "host name"},
      {"1http://a", "scheme"},
  };
  for (const auto& [text, why] : rows) EXPECT_THAT(refuse_origin(text), HasSubstr(why)) << text;
}

struct refusal {
  std::string_view table;
  std::string_view line;
};

class CorsRefusals : public ::testing::TestWithParam<refusal> {};

TEST_P(CorsRefusals, AreOneLineWithAPlace) {
  EXPECT_THAT(complaints(with_cors(GetParam().table)), ElementsAre(GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    All, CorsRefusals,
    ::testing::Values(
        refusal{"{ methods = [\"GET\"] }", "t:23:8: error: route.cors.origins: required"},
        refusal{"{ origins = [\"*\"], credentials = true }",
                "t:23:41: error: route.cors.credentials: needs origins by name: with \"*\" every "
                "page could act as who is logged in"},
        refusal{"{ origins = [\"*\", \"https://a.example\"] }",
                "t:23:21: error: route.cors.origins: \"*\" is every origin: it goes alone"},
        refusal{"{ origins = [\"https://a\", \"https://a\"] }",
                "t:23:34: error: route.cors.origins: \"https://a\" is given twice"},
        refusal{"{ origins = [\"https://a/\"] }",
                "t:23:21: error: route.cors.origins: \"https://a/\" must end with its host or "
                "port: no path, and no \"/\" at its end"},
        refusal{"{ origins = [\"https://a\"], methods = [\"*\"] }",
                "t:23:46: error: route.cors.methods: \"*\" is not a method here: name those that "
                "pages may use"},
        refusal{"{ origins = [\"https://a\"], methods = [\"get\"] }",
                "t:23:46: error: route.cors.methods: \"get\" must be upper case: methods are told "
                "apart by case"},
        refusal{"{ origins = [\"https://a\"], headers = [\"*\"] }",
                "t:23:45: error: route.cors.headers: \"*\" is not a header here: name those that "
                "pages may send"},
        refusal{"{ origins = [\"https://a\"], headers = [\"a b\"] }",
                "t:23:46: error: route.cors.headers: is not a header name"},
        refusal{"{ origins = [\"https://a\"], max_age = \"25h\" }",
                "t:23:45: error: route.cors.max_age: must be from 0s to 1d"},
        refusal{
            "{ origins = [\"https://a\"], expose = [] }",
            "t:23:35: error: route.cors.expose: unknown key; the nearest known is \"methods\""}));

TEST(Cors, IsTheOnlyOneToWriteItsFields) {
  EXPECT_THAT(complaints(with_cors("{ origins = [\"*\"] }\nresponse_headers.set = { "
                                   "Access-Control-Allow-Origin = \"*\" }")),
              ElementsAre("t:23:8: error: route.cors: access-control-allow-origin is its own: "
                          "response_headers.set must not have it"));
  EXPECT_THAT(complaints(with_cors("{ origins = [\"*\"] }\nresponse_headers.set = { "
                                   "Access-Control-Expose-Headers = \"x-total\" }")),
              IsEmpty());
  EXPECT_THAT(complaints(with_cors("{ origins = [] }\nresponse_headers.set = { "
                                   "Access-Control-Allow-Origin = \"*\" }")),
              IsEmpty());
}

TEST(Cors, IsBounded) {
  std::string methods;
  for (int i = 0; i < 17; ++i) methods += "\"M" + std::to_string(i) + "\",";
  std::string headers;
  for (int i = 0; i < 65; ++i) headers += "\"h" + std::to_string(i) + "\",";
  EXPECT_THAT(complaints(with_cors("{ origins = [\"*\"], methods = [" + methods + "] }")),
              ElementsAre("t:23:37: error: route.cors.methods: at most 16 methods"));
  EXPECT_THAT(complaints(with_cors("{ origins = [\"*\"], headers = [" + headers + "] }")),
              ElementsAre("t:23:37: error: route.cors.headers: at most 64 headers"));
}

}  // namespace
}  // namespace rw::config
