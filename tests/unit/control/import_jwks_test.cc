#include "control/import_jwks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "auth/key_set.h"
#include "auth/private_key.h"
#include "base/random.h"

namespace rw::control {
namespace {

using auth::algorithm;

class ImportJwks : public testing::Test {
 protected:
  ImportJwks() { random_init(); }

  split_keys split(std::string_view json) {
    notes_.clear();
    split_keys made = split_key_set(json, "jwks.json", notes_);
    if (!made.public_set.empty()) {
      config::diagnostics found;
      const auto set = auth::load_key_set(made.public_set, "made", found);
      EXPECT_TRUE(set && found.empty());
      if (set) EXPECT_EQ(set->keys().size(), made.public_keys);
      for (const char* name : {"\"d\"", "\"p\"", "\"q\"", "\"k\"", "priv", "evil"}) {
        EXPECT_FALSE(made.public_set.contains(name)) << made.public_set;
      }
    }
    return made;
  }
  static std::string private_jwk(algorithm alg = algorithm::es256) {
    return *auth::generate_private_jwk(alg);
  }
  static std::string edited(std::string jwk, const std::string& from, const std::string& to) {
    const std::size_t at = jwk.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return jwk.replace(at, from.size(), to);
  }
  static auth::private_key read_private(const std::string& text) {
    config::diagnostics found;
    auto key = auth::load_private_key(text, "made", found);
    EXPECT_TRUE(key) << (found.empty() ? "" : found.front().text);
    return std::move(*key);
  }
  std::string said() const {
    std::string all;
    for (const import_note& one : notes_) all += to_string(one) + "\n";
    return all;
  }

  import_notes notes_;
};

TEST_F(ImportJwks, APrivateKeyMintsAndItsPublicPartVerifies) {
  const std::string jwk = private_jwk();
  for (const std::string& text : {jwk, "{\"keys\":[" + jwk + "]}"}) {
    const split_keys made = split(text);
    EXPECT_EQ(said(), "");
    const auth::private_key key = read_private(made.mint_key);
    EXPECT_EQ(made.public_set, key.public_set() + "\n");
    EXPECT_EQ(made.public_keys, 1U);
  }
}

TEST_F(ImportJwks, AKeyWithoutAKidGetsOneAndTheSame) {
  std::string jwk = private_jwk();
  const std::size_t at = jwk.find(",\"kid\"");
  jwk.erase(at, jwk.find('"', jwk.find(":\"", at) + 2) + 1 - at);
  ASSERT_FALSE(jwk.contains("kid"));
  const split_keys made = split(jwk);
  const auth::private_key key = read_private(made.mint_key);
  EXPECT_TRUE(made.public_set.contains(fmt::format("\"kid\":\"{}\"", key.kid())));
}

TEST_F(ImportJwks, TheFirstThatSignsMints) {
  const std::string verifies =
      edited(private_jwk(), "\"use\":\"sig\"", R"("key_ops":["verify"],"evil":"x")");
  const std::string signs =
      edited(private_jwk(algorithm::eddsa), "\"use\":\"sig\"", R"("key_ops":["sign"])");
  const std::string other = private_jwk(algorithm::es384);
  const split_keys made = split(fmt::format(R"({{"keys":[{},{},{}]}})", verifies, signs, other));
  EXPECT_EQ(made.public_keys, 3U);
  EXPECT_EQ(read_private(made.mint_key).alg(), algorithm::eddsa);
  EXPECT_TRUE(said().contains("key 1 (kid ") && said().contains("`key_ops` does not allow"));
  EXPECT_TRUE(said().contains("key 3 (kid ") && said().contains("an earlier key signs"));
}

TEST_F(ImportJwks, APrivatePartThatIsNotTheKeysOwnIsLeftOut) {
  const std::string mine = private_jwk();
  const std::string theirs = private_jwk();
  const auto d_of = [](const std::string& jwk) { return jwk.substr(jwk.find(",\"d\"")); };
  const split_keys made = split(edited(mine, d_of(mine), d_of(theirs)));
  EXPECT_EQ(made.mint_key, "");
  EXPECT_EQ(made.public_keys, 1U);
  EXPECT_TRUE(said().contains("its private part was left out")) << said();
}

TEST_F(ImportJwks, WhatIsNoKeyToVerifyWithIsLeftOutByNumber) {
  const split_keys made = split(
      R"({"keys":[{"kty":"oct","k":"c2VzYW1l","kid":"h\n\"s"},17,{"kty":"RSA","n":"AQAB","e":"AQAB"},
      {"kty":"EC","crv":"P-256","use":"enc","x":"","y":""}]})");
  EXPECT_EQ(made.public_set + made.mint_key, "");
  EXPECT_TRUE(
      said().contains("jwks.json: key 1 (kid \"h\\u000a\\\"s\") was left out: it is shared"));
  EXPECT_TRUE(said().contains("key 2 was left out: it is no object"));
  EXPECT_TRUE(said().contains("key 3 was left out: the modulus has fewer than 2048 bits"));
  EXPECT_TRUE(said().contains("key 4 was left out: it is not meant for signatures"));
  EXPECT_FALSE(said().contains("c2VzYW1l"));
}

TEST_F(ImportJwks, AKidIsThereOnce) {
  const std::string jwk = private_jwk();
  EXPECT_EQ(split(fmt::format(R"({{"keys":[{0},{0}]}})", jwk)).public_keys, 1U);
  EXPECT_TRUE(said().contains("key 2") && said().contains("another key has this `kid`"));
}

TEST_F(ImportJwks, WhatIsNoStrictJsonIsLeftOutWhole) {
  const std::string jwk = private_jwk();
  for (const std::string& text : {std::string("\n"), std::string("[]"), "{\"keys\":[" + jwk,
                                  jwk + "x", edited(jwk, "\"use\"", "\"d\":\"AA\",\"use\""),
                                  "\xef\xbb\xbf" + jwk, std::string("$(cat /etc/passwd)")}) {
    const split_keys made = split(text);
    EXPECT_EQ(made.public_set + made.mint_key, "");
    EXPECT_EQ(notes_.size(), 1U);
  }
  EXPECT_EQ(split(R"({"keys":{}})").public_keys, 0U);
  EXPECT_EQ(said(), "jwks.json: `keys` is no array; no key was carried over\n");
}

}  // namespace
}  // namespace rw::control
