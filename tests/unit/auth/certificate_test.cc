// Certificates that clients have shown, as credentials. What tokens bound to them need is in
// revoked_tokens_test.cc.
#include <gtest/gtest.h>

#include "auth/authenticate.h"
#include "auth/key_file.h"
#include "base/random.h"
#include "unit/auth/vectors.h"

namespace rw::auth::testing {
namespace {

constexpr config::credential a_key{.how = config::credential::kind::api_keys};
constexpr config::credential a_certificate{.how = config::credential::kind::mtls};
using credentials = std::vector<config::credential>;

class Certificates : public ::testing::Test {
 protected:
  void SetUp() override {
    random_init();
    config::diagnostics found;
    const new_key made = *generate_key("alice");
    key_ = made.key;
    state_.keys = std::make_shared<const key_store>(*load_keys(made.line, "keys", found));
    bob_.who.assign("bob");
    bob_.until = now_ + std::chrono::seconds(1);
  }

  verdict ask(const client_certificate* shown, bool key, const credentials& any,
              const credentials& all = {}, wall_time at = now_) {
    presented what;
    what.certificate = shown;
    if (key) {
      what.api_key = key_;
      what.api_key_lines = 1;
    }
    return worker_.authenticate(what, any, all, state_, at);
  }

  static constexpr wall_time now_{std::chrono::seconds(1'800'000'000)};
  std::string key_;
  snapshot state_;
  client_certificate bob_;
  client_certificate nameless_;
  authenticator worker_;
};

TEST_F(Certificates, GoByTheOrderOfTheRoute) {
  EXPECT_EQ(ask(&bob_, true, {a_key, a_certificate}).who.view(), "alice");
  EXPECT_EQ(ask(&bob_, true, {a_certificate, a_key}).who.view(), "bob");
  EXPECT_EQ(ask(&bob_, true, {a_certificate, a_key}).kind, credential_kind::mtls);
  EXPECT_EQ(ask(&bob_, true, {a_key}, {a_certificate}).who.view(), "alice");
  EXPECT_EQ(ask(&bob_, true, {}, {a_certificate, a_key}).who.view(), "bob");
}

// What a mint gives a token to is the key, whatever else proves who is calling.
TEST_F(Certificates, TheKeyIsNamedBesideThem) {
  const verdict found = ask(&bob_, true, {a_certificate}, {a_key});
  EXPECT_EQ(found.who.view(), "bob");
  EXPECT_EQ(found.key_name, "alice");
}

TEST_F(Certificates, AreNeededWhereTheRouteSaysSo) {
  EXPECT_EQ(ask(nullptr, false, {a_certificate}).why, reason::missing);
  EXPECT_EQ(ask(nullptr, true, {a_certificate}).why, reason::not_accepted);
  EXPECT_EQ(ask(nullptr, true, {a_key}, {a_certificate}).why, reason::missing);
  EXPECT_EQ(ask(&bob_, false, {a_key}, {a_certificate}).why, reason::not_accepted);
  EXPECT_EQ(ask(&bob_, false, {a_key}).why, reason::not_accepted);
  EXPECT_TRUE(ask(&bob_, false, {}).allowed());
  EXPECT_EQ(ask(&bob_, false, {}).kind, credential_kind::none);
}

TEST_F(Certificates, WithoutANameAreNoCredential) {
  const verdict found = ask(&nameless_, false, {a_certificate});
  EXPECT_EQ(found.why, reason::certificate_name);
  EXPECT_EQ(found.status(), 401U);
  EXPECT_EQ(ask(&nameless_, false, {a_key, a_certificate}).why, reason::certificate_name);
  EXPECT_EQ(ask(&nameless_, true, {a_key}, {a_certificate}).why, reason::certificate_name);
  EXPECT_EQ(ask(&nameless_, true, {a_certificate, a_key}).who.view(), "alice");
  std::string challenge;
  append_challenge(challenge, found.why, {});
  EXPECT_EQ(challenge, "Bearer realm=\"api\"") << "no token was presented";
}

TEST_F(Certificates, ProveNothingOnceTheyHaveEnded) {
  EXPECT_TRUE(ask(&bob_, false, {a_certificate}, {}, bob_.until - nanoseconds{1}).allowed());
  EXPECT_EQ(ask(&bob_, false, {a_certificate}, {}, bob_.until).why, reason::expired);
  EXPECT_EQ(ask(&bob_, true, {a_key}, {}, bob_.until).why, reason::expired);
  EXPECT_TRUE(ask(&bob_, true, {}, {}, bob_.until).allowed()) << "an open route looks at nothing";
}

TEST_F(Certificates, AreRevokedBesideAKey) {
  std::vector<revocation> list;
  list.push_back({.what = revoked_kind::identity, .id = "bob"});
  worker_.revoke(std::make_shared<const revocation_list>(std::move(list)));
  EXPECT_EQ(ask(&bob_, false, {a_certificate}).why, reason::revoked);
  EXPECT_EQ(ask(&bob_, true, {a_key}).why, reason::revoked);
  EXPECT_TRUE(ask(nullptr, true, {a_key}).allowed());
  EXPECT_TRUE(ask(&nameless_, true, {a_key}).allowed());
}

}  // namespace
}  // namespace rw::auth::testing
