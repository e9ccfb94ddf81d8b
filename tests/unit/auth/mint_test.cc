#include "auth/mint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "auth/base64url.h"
#include "auth/json.h"
#include "auth/jws.h"
#include "auth/signature.h"
#include "auth/token_id.h"
#include "base/random.h"
#include "unit/auth/vectors.h"

namespace rw::auth::testing {
namespace {

constexpr wall_time now{std::chrono::seconds(1'700'000'100)};

std::shared_ptr<const private_key> load(std::string_view jwk) {
  config::diagnostics found;
  auto key = load_private_key(jwk, "mint.jwk", found);
  EXPECT_TRUE(key) << (found.empty() ? "" : found.front().text);
  return key ? std::make_shared<const private_key>(std::move(*key)) : nullptr;
}

config::mint mint_rules() {
  config::mint out;
  out.present = true;
  out.issuer = "https://gate\"way.example";
  out.audience = "api";
  out.ttl = std::chrono::minutes(10);
  return out;
}

// Held against our own verifier, with the published half of the key.
verdict verify(std::string_view token, const private_key& key) {
  config::jwt_issuer rules;
  rules.issuer = mint_rules().issuer;
  rules.audiences = {"api"};
  rules.require = {"exp", "iat", "nbf", "jti", "sub"};
  snapshot state;
  state.issuers.push_back(
      {.rules = token_rules(rules),
       .keys = std::make_shared<const key_set>(load_keys_or_die(key.public_set()))});
  const config::credential jwt{.how = config::credential::kind::jwt, .issuer = 0};
  authenticator worker;
  std::string storage;
  return worker.authenticate(bearer(storage, token), {&jwt, 1}, {}, state, now);
}

TEST(Mint, ATokenIsBoundToACertificateWhereThereIsOne) {
  random_init();
  const auto key = load(*generate_private_jwk(algorithm::es256));
  auto mint = minter::make(key, mint_rules());
  ASSERT_TRUE(mint);
  constexpr std::string_view thumbprint = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
  const auto claims_of = [](const std::string& token) {
    const std::size_t dot = token.find('.');
    return decode_base64url(token.substr(dot + 1, token.rfind('.') - dot - 1)).value_or("");
  };
  const auto bound = mint->token("alice", {}, now, thumbprint);
  ASSERT_TRUE(bound);
  EXPECT_NE(claims_of(*bound).find(fmt::format(R"(,"cnf":{{"x5t#S256":"{}"}}}})", thumbprint)),
            std::string::npos)
      << claims_of(*bound);
  EXPECT_EQ(verify(*bound, *key).why, reason::certificate);
  const auto free = mint->token("alice", {}, now);
  EXPECT_EQ(claims_of(*free).find("cnf"), std::string::npos);
  EXPECT_TRUE(verify(*free, *key).allowed());
}

TEST(Mint, TokensOfEveryGeneratedKeyVerify) {
  random_init();
  for (algorithm alg : {algorithm::es256, algorithm::es384, algorithm::es512, algorithm::eddsa}) {
    const auto text = generate_private_jwk(alg);
    ASSERT_TRUE(text);
    const auto key = load(*text);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->alg(), alg);
    EXPECT_EQ(key->kid(), thumbprint(key->pub));
    EXPECT_EQ(key->public_set().find("\"d\""), std::string::npos);
    auto mint = minter::make(key, mint_rules());
    ASSERT_TRUE(mint);
    for (int i = 0; i < 20; ++i) {
      const auto token = mint->token("alice", {}, now);
      ASSERT_TRUE(token);
      const verdict found = verify(*token, *key);
      EXPECT_EQ(found.why, reason::none) << name(found.why);
      EXPECT_EQ(found.who.view(), "alice");
      EXPECT_EQ(found.expires, now + std::chrono::minutes(10));
    }
  }
  EXPECT_FALSE(generate_private_jwk(algorithm::rs256));
}

// All ten algorithms with keys another implementation made. RS and EdDSA signatures are
// deterministic: what that implementation signed, we sign to the octet. The others are verified by
// one that is not ours in tests/system/jose_test.py.
TEST(Mint, SignaturesAreThoseOfAnotherImplementation) {
  auto hand = signer::make();
  ASSERT_TRUE(hand);
  const std::vector<row> valid = read_rows("valid.tsv");
  std::set<std::string> done;
  for (const row& one : read_rows("private.tsv")) {
    // Not for signing, by `use` and by `key_ops`.
    if (one[0] == "encryption" || one[0] == "p256-alg" || one[0] == "rsa-8192") continue;
    auto key = load(one[1]);
    ASSERT_TRUE(key) << one[0];
    for (std::size_t i = 0; i < algorithm_count; ++i) {
      const auto alg = static_cast<algorithm>(i);
      if (!fits(key->pub.type, alg)) continue;
      private_key* writable = const_cast<private_key*>(key.get());
      writable->pub.alg = alg;
      std::string input = "eyJhbGciOiJ4In0.e30";
      std::string expected;
      for (const row& token : valid) {
        if (token[0] != fmt::format("{} {}", name(alg), one[0]) && token[0] != "EdDSA ed 0")
          continue;
        if (token[0] == "EdDSA ed 0" && one[0] != "ed") continue;
        const std::size_t dot = token[1].rfind('.');
        input = token[1].substr(0, dot);
        expected = token[1].substr(dot + 1);
      }
      const auto signature = hand->sign(*key, input);
      ASSERT_TRUE(signature) << one[0] << name(alg);
      EXPECT_TRUE(verify_signature(key->pub, alg, input, *signature)) << one[0] << name(alg);
      std::string encoded;
      append_base64url(encoded, *signature);
      if (!expected.empty() && !is_pss(alg)) EXPECT_EQ(encoded, expected) << one[0] << name(alg);
      done.insert(std::string(name(alg)));
    }
  }
  EXPECT_EQ(done.size(), algorithm_count);
}

TEST(Mint, AnswerIsTheDocumentedObject) {
  const auto key = load(*generate_private_jwk(algorithm::es256));
  auto mint = minter::make(key, mint_rules());
  const auto body = mint->answer("we\"ird\\name", line_tag{1, 2, 3}, now);
  ASSERT_TRUE(body);
  json_reader reader;
  const auto object = reader.parse(*body);
  ASSERT_TRUE(object) << *body;
  EXPECT_EQ(object->find_string("token_type"), "Bearer");
  EXPECT_EQ(object->find_string("alg"), "ES256");
  EXPECT_EQ(object->find_string("kid"), key->kid());
  EXPECT_EQ(std::int64_t(object->find("expires_in")->get_int64().value_unsafe()), 600);
  const auto token = object->find_string("token");
  ASSERT_TRUE(token);
  EXPECT_EQ(object->find_string("access_token"), token);
  EXPECT_EQ(verify(*token, *key).who.view(), "we\"ird\\name");

  jws_reader parts;
  ASSERT_TRUE(parts.read(*token));
  const json_object* claims = parts.claims();
  ASSERT_NE(claims, nullptr);
  EXPECT_EQ(claims->find_string("iss"), mint_rules().issuer);
  EXPECT_EQ(claims->find_string("aud"), "api");
  EXPECT_EQ(tag_in(*claims->find_string("jti")), (line_tag{1, 2, 3}));
  EXPECT_EQ(std::int64_t(claims->find("iat")->get_int64().value_unsafe()), 1'700'000'100);
  EXPECT_EQ(std::int64_t(claims->find("nbf")->get_int64().value_unsafe()), 1'700'000'100);
}

TEST(Mint, TokenIdsAreNeverTheSame) {
  auto mint = minter::make(load(*generate_private_jwk(algorithm::eddsa)), mint_rules());
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(*mint->token("alice", {}, now));
  EXPECT_EQ(tokens.size(), 100U);
}

TEST(Mint, ATokenIdHasTheTagOfALineAndNothingElseDoes) {
  const line_tag tag{0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0x80};
  const std::string id = make_token_id(tag);
  EXPECT_EQ(tag_in(id), tag);
  for (std::size_t size = 0; size < id.size(); ++size) EXPECT_FALSE(tag_in(id.substr(0, size)));
  EXPECT_FALSE(tag_in(id + "A"));
  for (const char wrong : {'=', '+', '.', ' ', '\0'}) {
    std::string other = id;
    other.back() = wrong;
    EXPECT_FALSE(tag_in(other)) << wrong;
  }
  std::string other = id;
  other[22] = '-';
  EXPECT_FALSE(tag_in(other));
}

// Gates that share the signing key, and they alone, know each other's tags.
TEST(PrivateKey, WhatIsDerivedIsOfTheKeyAndTheLabel) {
  std::set<std::string> made;
  for (const row& one : read_rows("private.tsv")) {
    if (one[0] == "encryption" || one[0] == "p256-alg" || one[0] == "rsa-8192") continue;
    for (const char* label : {"a", "b"}) {
      const secret first = load(one[1])->derive(label);
      EXPECT_EQ(first.view().size(), 32U);
      EXPECT_EQ(first.view(), load(one[1])->derive(label).view());
      EXPECT_TRUE(made.insert(std::string(first.view())).second) << one[0];
    }
  }
  EXPECT_GT(made.size(), 10U);
}

TEST(PrivateKey, KidAndAlgDefaultToThumbprintAndType) {
  const auto key =
      load(R"({"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",)"
           R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  EXPECT_EQ(key->alg(), algorithm::eddsa);
  auto hand = signer::make();
  std::string encoded;
  append_base64url(encoded,
                   *hand->sign(*key, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"));
  EXPECT_EQ(
      encoded,
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST(PrivateKey, KeyOpsHaveToAllowSigningAndNothingElse) {
  const auto with = [](std::string_view operations) {
    return fmt::format(
        R"({{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",)"
        R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","key_ops":{}}})",
        operations);
  };
  for (const auto* allowed : {R"(["sign"])", R"(["sign","verify"])", R"(["verify","sign"])"}) {
    const auto key = load(with(allowed));
    ASSERT_TRUE(key) << allowed;
    // What is published is for those who verify.
    EXPECT_EQ(load_keys_or_die(key->public_set()).keys().size(), 1U) << allowed;
  }
  for (const auto* refused :
       {R"(["verify"])", "[]", R"(["encrypt"])", R"("sign")", R"(["sign",1])"}) {
    config::diagnostics found;
    EXPECT_FALSE(load_private_key(with(refused), "mint.jwk", found)) << refused;
    EXPECT_EQ(found.size(), 1U) << refused;
  }
}

TEST(PrivateKey, NumbersThatDoNotBelongTogetherAreRefused) {
  std::map<std::string, std::string> keys;
  for (const row& one : read_rows("private.tsv")) keys[one[0]] = one[1];
  const auto member = [&](const std::string& kid, std::string_view name) {
    const std::string& text = keys[kid];
    const std::size_t at = text.find(fmt::format("\"{}\":\"", name)) + name.size() + 4;
    return text.substr(at, text.find('"', at) - at);
  };
  const auto with = [&](const std::string& kid, const std::string& from, std::string_view name) {
    std::string text = keys[kid];
    const std::string old = member(kid, name);
    return text.replace(text.find(":\"" + old) + 2, old.size(), member(from, name));
  };
  std::string public_only = keys["p256"];
  public_only.replace(public_only.find("\"d\""), 3, "\"z\"");
  std::vector<std::string> bad = {with("p256", "stranger-p256", "d"),
                                  with("ed", "stranger-ed", "d"),
                                  with("rsa-2048", "stranger-rsa", "p"),
                                  with("rsa-2048", "stranger-rsa", "q"),
                                  with("rsa-2048", "stranger-rsa", "dp"),
                                  with("rsa-2048", "stranger-rsa", "dq"),
                                  with("rsa-2048", "stranger-rsa", "qi"),
                                  with("rsa-2048", "stranger-rsa", "n"),
                                  with("p256", "p384", "d"),
                                  public_only,
                                  keys["encryption"],
                                  keys["p256-alg"],
                                  "",
                                  "{}",
                                  "{\"keys\":[" + keys["p256"] + "]}",
                                  keys["p256"] + "x"};
  for (const std::string& one : bad) {
    config::diagnostics found;
    EXPECT_FALSE(load_private_key(one, "mint.jwk", found)) << one;
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].severity, config::diagnostic::level::error);
    EXPECT_EQ(found[0].file, "mint.jwk");
    EXPECT_LT(found[0].text.size(), 100U);
  }
}

}  // namespace
}  // namespace rw::auth::testing
