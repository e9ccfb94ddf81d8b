#include "control/import_toml.h"

#include <gtest/gtest.h>

#include "config/load.h"

namespace rw::control {
namespace {

using namespace std::chrono_literals;

class ImportToml : public testing::Test {
 protected:
  ImportToml() {
    plan_.from = "/old";
    plan_.folder = "/new";
    plan_.origin = "127.0.0.1:5001";
    plan_.has_key_set = plan_.has_mint_key = true;
    plan_.settings.issuer = "https://a.example";
    plan_.settings.audiences = {"api"};
  }

  std::string write() {
    notes_.clear();
    return write_toml(plan_, notes_);
  }
  config::configuration load() {
    const std::string text = write();
    auto loaded = config::parse(text, "made");
    EXPECT_TRUE(loaded) << config::to_string(loaded.error().front()) << "\n" << text;
    if (!loaded) return {};
    EXPECT_TRUE(loaded->warnings.empty()) << config::to_string(loaded->warnings.front());
    return loaded->settings;
  }
  std::string said() const {
    std::string all;
    for (const import_note& one : notes_) all += to_string(one) + "\n";
    return all;
  }

  import_plan plan_;
  import_notes notes_;
};

TEST_F(ImportToml, IsAConfigurationThatServesTheOldClients) {
  const config::configuration got = load();
  EXPECT_EQ(got.api_keys.file, "/new/api-keys");
  EXPECT_EQ(got.mint.key.name, "/new/mint.jwk");
  EXPECT_EQ(got.mint.issuer, "https://a.example");
  EXPECT_EQ(got.mint.ttl, 1h);
  ASSERT_EQ(got.jwt.size(), 1U);
  EXPECT_EQ(got.jwt[0].jwks_file, "/new/jwks.json");
  ASSERT_EQ(got.routes.size(), 3U);
  EXPECT_EQ(got.routes[0].action, config::route_action::mint);
  EXPECT_EQ(got.routes[1].path, "/health");
  EXPECT_TRUE(got.routes[1].auth.empty());
  EXPECT_EQ(got.routes[1].limits.size(), 1U);
  EXPECT_EQ(got.routes[2].auth.size(), 2U);
  EXPECT_EQ(got.upstreams[0].gap_timeout, 1h);
  EXPECT_EQ(got.upstreams[0].first_byte_timeout, 1h);
}

TEST_F(ImportToml, WhatIsNotTakenIsNotWritten) {
  plan_.has_mint_key = false;
  plan_.settings.issuer.clear();
  const config::configuration got = load();
  EXPECT_FALSE(got.mint.present);
  EXPECT_TRUE(got.jwt.empty());
  EXPECT_EQ(got.routes.size(), 2U);
  EXPECT_EQ(got.routes.back().auth.size(), 1U);
  EXPECT_TRUE(said().contains("POST /token is not answered"));
  EXPECT_TRUE(said().contains("Tokens are not taken: JWT_ISSUER is not set"));
}

TEST_F(ImportToml, AMintWithoutNamesGetsSomeAndSaysSo) {
  plan_.settings.issuer.clear();
  plan_.settings.audiences.clear();
  const config::configuration got = load();
  EXPECT_EQ(got.mint.issuer, "ringward");
  EXPECT_EQ(got.mint.audience, "api");
  EXPECT_EQ(got.jwt.at(0).issuer, got.mint.issuer);
  EXPECT_TRUE(said().contains("JWT_ISSUER is not set") && said().contains("JWT_AUDIENCE is not"));
}

TEST_F(ImportToml, LongLivedTokensPass) {
  plan_.settings.jwt_ttl = 48h;
  EXPECT_EQ(load().jwt.at(0).max_age, 48h);
}

// Nothing that a setting holds can end its string, its line or its comment.
TEST_F(ImportToml, HostileValuesStayWhereTheyAre) {
  const std::string values[] = {"\"\n[[route]]\nname = \"evil\"\npath_prefix = \"/\"\nauth = []\n#",
                                "'''\"\"\"\\",
                                "$(id)`id`${HOME}",
                                "\\u0022\\n",
                                "a\r\nb\tc\x01\x1f\x7f",
                                "\xe2\x82\xac",
                                "\n",
                                "#",
                                " "};
  for (const std::string& value : values) {
    plan_.from = plan_.folder = plan_.chain = plan_.chain_key = value;
    plan_.settings.issuer = value;
    plan_.settings.audiences = {value, "x" + value};
    plan_.settings.jwks_url.value = "https://a.example/" + value;
    plan_.settings.github_token.value = value;
    const config::configuration got = load();
    ASSERT_EQ(got.routes.size(), 3U) << value;
    EXPECT_EQ(got.routes[2].auth.size(), got.jwt.size() + 1);
    EXPECT_EQ(got.mint.issuer, value);
    EXPECT_EQ(got.mint.audience, value);
    EXPECT_EQ(got.mint.key.name, value + "/mint.jwk");
    EXPECT_EQ(got.jwt.at(0).audiences, plan_.settings.audiences);
    EXPECT_EQ(got.listeners.at(0).tls.certificates.at(0).chain, value);
  }
}

TEST_F(ImportToml, TheListenerIsForThisMachineUnlessThereIsACertificate) {
  EXPECT_EQ(load().listeners.at(0).address, "127.0.0.1:8080");
  EXPECT_TRUE(said().contains("plain HTTP on 127.0.0.1:8080"));
  plan_.chain = "/certs/fullchain.pem";
  plan_.chain_key = "/certs/privkey.pem";
  const config::configuration got = load();
  EXPECT_EQ(got.listeners.at(0).address, "[::]:8443");
  EXPECT_EQ(got.listeners.at(0).tls.certificates.at(0).key.name, "/certs/privkey.pem");
}

TEST_F(ImportToml, KeySetsThatAreFetchedAndWebSocketAreCarriedOver) {
  plan_.settings.jwks_url.value = "https://a.example/jwks";
  plan_.settings.jwks_ttl = 300s;
  const std::string text = write();
  EXPECT_TRUE(text.contains("\njwks = { url = \"https://a.example/jwks\", refresh = \"5m\" }\n"));
  EXPECT_TRUE(text.contains("\nauth = [\"api_keys\", \"jwt:file\", \"jwt:url\"]\n"));
  EXPECT_TRUE(text.contains("\nupgrade = [\"websocket\"]\n"));
  EXPECT_FALSE(said().contains("JWKS_URL"));
  EXPECT_EQ(load().routes.back().upgrade, std::vector<std::string>{"websocket"});
}

TEST_F(ImportToml, TheGithubTokenGoesNowhereByItself) {
  plan_.settings.github_token.value = "ghp_sesame";
  const std::string text = write();
  EXPECT_TRUE(text.contains("\n# request_headers = "));
  EXPECT_TRUE(load().routes.back().request_set.empty());
  EXPECT_FALSE(text.contains("sesame"));
  EXPECT_TRUE(said().contains("GITHUB_TOKEN is in a file and goes nowhere"));
}

}  // namespace
}  // namespace rw::control
