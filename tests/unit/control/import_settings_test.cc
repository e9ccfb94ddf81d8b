#include "control/import_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rw::control {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class ImportSettings : public testing::Test {
 protected:
  old_settings read(std::string_view text) {
    notes_.clear();
    const auto settings = read_env(text, ".env", notes_);
    old_settings got = read_old_settings(settings, ".env", notes_);
    said_.clear();
    for (const import_note& one : notes_) {
      if (one.line != 0) said_.push_back(to_string(one));
    }
    return got;
  }

  import_notes notes_;
  std::vector<std::string> said_;  // about lines
};

TEST_F(ImportSettings, NothingSetIsTheDefaultsAndIsSaid) {
  const old_settings got = read("");
  EXPECT_TRUE(got.keys.empty());
  EXPECT_EQ(got.jwt_ttl, 1h);
  EXPECT_EQ(to_text(got.api.rate), "10/s");
  EXPECT_EQ(got.api.burst, 20U);
  EXPECT_EQ(to_text(got.auth.rate), "5/m");
  EXPECT_EQ(got.auth.burst, 5U);
  ASSERT_EQ(notes_.size(), 4U);
  EXPECT_EQ(to_string(notes_[0]), ".env: RATE_LIMIT_API is not set; 10/s was taken");
  EXPECT_EQ(to_string(notes_[3]),
            ".env: RATE_LIMIT_AUTH_BURST is not set; 5 requests at once were taken");
}

TEST_F(ImportSettings, EverySettingIsRead) {
  const old_settings got = read(
      "API_KEY=one\nAPI_KEYS=\"two, three\n four\"\nAPI_KEYS_FILE=a.txt\nAPI_KEYS_FILE_HOST=./b\n"
      "JWKS_URL=https://a.example/jwks\nJWKS_TTL=300\nJWT_TTL=2h\nJWT_AUDIENCE=api, other\n"
      "JWT_ISSUER=https://a.example\nGITHUB_TOKEN=ghp_x\nHOST_CERTS_DIR=/etc/certs\n"
      "RATE_LIMIT_API=300r/"
      "m\nRATE_LIMIT_API_BURST=0\nRATE_LIMIT_AUTH=7\nRATE_LIMIT_AUTH_BURST=9\n");
  std::vector<std::string> keys;
  for (const old_key& one : got.keys) keys.push_back(one.name + "=" + one.text);
  EXPECT_THAT(keys,
              ElementsAre("api-key=one", "api-keys-1=two", "api-keys-2=three", "api-keys-3=four"));
  ASSERT_EQ(got.key_files.size(), 2U);
  EXPECT_EQ(got.key_files[1].value, "./b");
  EXPECT_EQ(got.jwks_url.value, "https://a.example/jwks");
  EXPECT_EQ(got.jwks_ttl, 300s);
  EXPECT_EQ(got.jwt_ttl, 2h);
  EXPECT_THAT(got.audiences, ElementsAre("api", "other"));
  EXPECT_EQ(got.issuer, "https://a.example");
  EXPECT_EQ(got.github_token.value, "ghp_x");
  EXPECT_EQ(got.certificates.value, "/etc/certs");
  EXPECT_EQ(to_text(got.api.rate), "300/m");
  EXPECT_EQ(got.api.burst, 1U);
  EXPECT_EQ(to_text(got.auth.rate), "7/s");
  EXPECT_EQ(got.auth.burst, 10U);
  EXPECT_THAT(said_, ElementsAre(".env:9: JWT_AUDIENCE: has a comma: read as several audiences"));
}

TEST_F(ImportSettings, Rates) {
  for (const auto& [text, ours] : {std::pair{"10r/s", "10/s"},
                                   {"10/s", "10/s"},
                                   {"5000/h", "5000/h"},
                                   {"1", "1/s"},
                                   {"60r/m", "60/m"}}) {
    EXPECT_EQ(to_text(read(std::string("RATE_LIMIT_API=") + text).api.rate), ours);
    EXPECT_TRUE(said_.empty()) << text;
  }
  for (const char* text : {"0", "0r/s", "-1", "10r", "10 r/s", "1.5r/s", "10r/d", "r/s", "10rr/s",
                           "99999999999999999999", "10r/s; return 200", "$(id)"}) {
    EXPECT_EQ(to_text(read(std::string("RATE_LIMIT_API=") + text).api.rate), "10/s") << text;
    ASSERT_FALSE(said_.empty()) << text;
    EXPECT_TRUE(said_.back().ends_with("300r/m or 10; left out, 10/s stands")) << said_.back();
  }
}

TEST_F(ImportSettings, DurationsAndBursts) {
  EXPECT_EQ(read("JWT_TTL=90").jwt_ttl, 90s);
  EXPECT_EQ(read("JWT_TTL=15m").jwt_ttl, 15min);
  for (const char* text : {"0", "1h30m", "-5", "367d", "3600 s", "1e3", "99999999999999999999"}) {
    EXPECT_EQ(read(std::string("\nJWT_TTL=") + text).jwt_ttl, 1h) << text;
    ASSERT_EQ(said_.size(), 1U) << text;
    EXPECT_TRUE(said_[0].starts_with(".env:2: JWT_TTL: \"")) << said_[0];
    EXPECT_TRUE(said_[0].ends_with("left out, 1h stands")) << said_[0];
  }
  EXPECT_EQ(read("RATE_LIMIT_API_BURST=999999999").api.burst, 1'000'000'000U);
  EXPECT_EQ(read("RATE_LIMIT_API_BURST=1000000000").api.burst, 20U);
  EXPECT_EQ(said_.size(), 1U);
}

TEST_F(ImportSettings, TheLastOfSeveralCounts) {
  EXPECT_EQ(read("JWT_ISSUER=a\nJWT_ISSUER=b\n").issuer, "b");
  EXPECT_THAT(said_, ElementsAre(".env:1: JWT_ISSUER: is set again further down, which counts"));
}

TEST_F(ImportSettings, SecretsAreNeverQuoted) {
  const old_settings got = read(
      "API_KEY=sesame$1\nGITHUB_TOKEN=\"sesame "
      "2\"\nUNKNOWN=sesame3\nJWKS_URL=https://u:sesame@a/\n");
  EXPECT_EQ(got.keys.at(0).text, "sesame$1");
  EXPECT_TRUE(got.github_token.value.empty());
  EXPECT_TRUE(got.jwks_url.value.empty());
  EXPECT_EQ(said_.size(), 4U);
  for (const std::string& one : said_) EXPECT_FALSE(one.contains("sesame")) << one;
}

}  // namespace
}  // namespace rw::control
