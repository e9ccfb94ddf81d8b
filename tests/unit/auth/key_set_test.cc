#include "auth/key_set.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "unit/auth/rule_table.h"

namespace rw::auth::testing {
namespace {

struct loaded {
  std::optional<key_set> keys;
  config::diagnostics found;
};

loaded load(std::string_view json) {
  loaded out;
  out.keys = load_key_set(json, "set", out.found);
  return out;
}

std::string set_of(std::string_view keys) { return fmt::format("{{\"keys\":[{}]}}", keys); }

// P-256 of RFC 7515 A.3, with room for more members.
std::string p256(std::string_view more = "") {
  return fmt::format(
      R"({{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"{}}})",
      more);
}

std::string rsa(std::string_view n, std::string_view e = "AQAB", std::string_view more = "") {
  return fmt::format(R"({{"kty":"RSA","n":"{}","e":"{}"{}}})", n, e, more);
}

TEST(KeySet, LoadsEveryKindAndLeavesOutEncryptionKeys) {
  const loaded set = load(read_vector("keys.jwks"));
  ASSERT_TRUE(set.keys);
  EXPECT_TRUE(set.found.empty());
  EXPECT_EQ(set.keys->keys().size(), 12U);
  EXPECT_FALSE(set.keys->find("encryption", algorithm::rs256));
  const auto found = set.keys->find("p521", algorithm::es512);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->type, key_type::p521);
  EXPECT_EQ(set.keys->find("p521", algorithm::es256).error(), reason::algorithm);
  EXPECT_EQ(set.keys->find("none", algorithm::es256).error(), reason::unknown_kid);
  EXPECT_EQ(set.keys->find({}, algorithm::rs256).error(), reason::unknown_kid);
  EXPECT_TRUE(set.keys->find({}, algorithm::eddsa));
}

TEST(KeySet, RulesOfTheTable) {
  const rule_table table("jwks.json");
  both_ways tried;
  for (const element row : table.rows()) {
    const std::string key = simdjson::minify(row["key"]);
    const std::string result = text_of(row, "result");
    const loaded set = load(set_of(p256(R"(,"kid":"good")") + "," + key));
    tried.count(row, result == "accept");
    if (result == "refuse") {
      EXPECT_FALSE(set.keys) << key;
      ASSERT_EQ(set.found.size(), 1U) << key;
      EXPECT_TRUE(config::has_error(set.found)) << key;
      EXPECT_NE(set.found[0].text.find(text_of(row, "says")), std::string::npos) << key;
      continue;
    }
    ASSERT_TRUE(set.keys) << key;
    EXPECT_EQ(set.keys->keys().size(), result == "accept" ? 2U : 1U) << key;
    if (result == "warn") {
      ASSERT_EQ(set.found.size(), 1U) << key;
      EXPECT_EQ(set.found[0].severity, config::diagnostic::level::warning) << key;
      EXPECT_NE(set.found[0].text.find("key 2"), std::string::npos) << set.found[0].text;
      EXPECT_NE(set.found[0].text.find(text_of(row, "says")), std::string::npos)
          << key << set.found[0].text;
    } else {
      EXPECT_TRUE(set.found.empty()) << key;
    }
    // By itself it is a set, or leaves none; that it shares a kid is no fault of its own.
    const bool is_good = result == "accept" || key.contains(R"("kid":"good")");
    EXPECT_EQ(load(set_of(key)).keys.has_value(), is_good) << key;
  }
}

TEST(KeySet, RefusesWhatIsNoSet) {
  const std::string good = p256();
  for (const std::string& bad :
       {std::string(), std::string("{}"), std::string("[]"), good, std::string(R"({"keys":{}})"),
        std::string(R"({"keys":[]})"), std::string(R"({"keys":[1]})"),
        std::string(R"({"keys":null})"), set_of(good) + "x", "\xef\xbb\xbf" + set_of(good),
        "{\"keys\":[" + good + "],\"keys\":[" + good + "]}",
        "{\"keys\":[" + good + "],\"k\\u0065ys\":[" + good + "]}",
        set_of(p256(R"(,"kid":"a","kid":"b")")), set_of(p256(R"(,"\u0064":"AQAB")")),
        set_of(p256(R"(,"z":[[[[[[[1]]]]]]])"))}) {
    const loaded set = load(bad);
    EXPECT_FALSE(set.keys) << bad;
    EXPECT_TRUE(config::has_error(set.found)) << bad;
  }
}

TEST(KeySet, HasBounds) {
  std::string keys = p256(R"(,"kid":"0")");
  for (int i = 1; i < 256; ++i) keys += "," + p256(fmt::format(R"(,"kid":"{}")", i));
  const loaded most = load(set_of(keys));
  ASSERT_TRUE(most.keys);
  EXPECT_EQ(most.keys->keys().size(), 256U);
  EXPECT_FALSE(load(set_of(keys + "," + p256(R"(,"kid":"256")"))).keys);
  EXPECT_FALSE(load(set_of(p256()) + std::string(1 << 20, ' ')).keys);
  EXPECT_TRUE(load(set_of(p256()) + std::string(1 << 19, ' ')).keys);
}

// RFC 7638 3.1 and RFC 8037 A.3.
TEST(Jwk, Thumbprints) {
  const key_set ed = load_keys_or_die(
      set_of(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"));
  EXPECT_EQ(thumbprint(ed.keys().front()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  const key_set rsa_key =
      load_keys_or_die(set_of(rsa("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z"
                                  "wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi"
                                  "FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-"
                                  "65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"
                                  "9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
                                  "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls"
                                  "1jF44-csFCur-kEgU8awapJzKnqDKgw")));
  EXPECT_EQ(thumbprint(rsa_key.keys().front()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(Jwk, WrittenKeysReadBackTheSame) {
  const key_set set = load_keys_or_die(read_vector("keys.jwks"));
  for (const public_key& key : set.keys()) {
    const key_set again = load_keys_or_die(set_of(to_jwk(key)));
    const public_key& copy = again.keys().front();
    EXPECT_EQ(copy.type, key.type);
    EXPECT_EQ(copy.kid, key.kid);
    EXPECT_EQ(copy.alg, key.alg);
    EXPECT_EQ(copy.n + copy.e + copy.x + copy.y, key.n + key.e + key.x + key.y);
  }
}

}  // namespace
}  // namespace rw::auth::testing
