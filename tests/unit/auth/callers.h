// Keys and issuers that tests of the authenticator ask it by.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticate.h"
#include "auth/key_file.h"
#include "auth/mint.h"
#include "base/random.h"
#include "unit/auth/vectors.h"

namespace rw::auth::testing {

using std::chrono::seconds;

inline constexpr config::credential keys_allowed{.how = config::credential::kind::api_keys};

constexpr config::credential jwt(std::uint32_t issuer) {
  return {.how = config::credential::kind::jwt, .issuer = issuer};
}

using credentials = std::vector<config::credential>;

// Issuers 0 "main", 1 "other" (its own key), 2 "admin": the same iss as main, but with a scope.
class Authenticate : public ::testing::Test {
 protected:
  void SetUp() override {
    random_init();
    const new_key first = *generate_key("alice");
    const new_key second = *generate_key("bob");
    alice_key_ = first.key;
    bob_key_ = second.key;
    config::diagnostics found;
    state_.keys = std::make_shared<const key_store>(
        *load_keys(first.line + "\n" + second.line + "\nold:plain.key.with-dots\n", "keys", found));
    add_issuer("https://issuer.example", {});
    add_issuer("https://other.example", {});
    add_issuer("https://issuer.example", {"admin"});
  }

  void add_issuer(std::string_view iss, std::vector<std::string> scopes) {
    auto key = std::make_shared<private_key>();
    const bool shares = iss == "https://issuer.example" && !signers_.empty();
    if (shares) {
      key = signers_[0];
    } else {
      config::diagnostics found;
      *key = std::move(*load_private_key(*generate_private_jwk(algorithm::es256), "test", found));
    }
    signers_.push_back(key);
    config::jwt_issuer rules;
    rules.issuer = iss;
    rules.audiences = {"api"};
    rules.scopes = std::move(scopes);
    state_.issuers.push_back(
        {.rules = token_rules(rules),
         .keys = std::make_shared<const key_set>(load_keys_or_die(key->public_set()))});
  }

  std::string token(std::size_t issuer, std::string_view who, wall_time at = now_,
                    const line_tag& key = {}) {
    config::mint rules;
    rules.issuer = state_.issuers[issuer].rules.issuer;
    rules.audience = "api";
    auto mint = minter::make(signers_[issuer], rules);
    return *mint->token(who, key, at);
  }

  verdict ask(const presented& what, const credentials& any, const credentials& all = {}) {
    return worker_.authenticate(what, any, all, state_, now_);
  }

  verdict ask_key(std::string_view key, const credentials& any) {
    return ask({.api_key = key, .api_key_lines = 1}, any);
  }

  verdict ask_authorization(std::string_view value, const credentials& any) {
    return ask({.authorization = value, .authorization_lines = 1}, any);
  }

  static constexpr wall_time now_{seconds(1'800'000'000)};
  std::string alice_key_;
  std::string bob_key_;
  std::vector<std::shared_ptr<private_key>> signers_;
  snapshot state_;
  authenticator worker_;
};

}  // namespace rw::auth::testing
