// Keys whose hash was made to be slow, as the authenticator sees them.
#include "unit/auth/callers.h"

namespace rw::auth::testing {
namespace {

constexpr const char* legacy_file =
    "alice:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq\n"
    "carol@2027-01-01:$2y$04$abcdefghijklmnopqrstuulRFb0uOG8QnzkmRxxUYREVy/0Kuyf1W\n";

class SlowKeys : public Authenticate {
 protected:
  void use(const char* file) {
    config::diagnostics found;
    state_.keys = std::make_shared<const key_store>(*load_keys(file, "keys", found));
  }
  void SetUp() override {
    Authenticate::SetUp();
    use(legacy_file);
  }
  slow_answer match(std::string_view key, std::size_t line) {
    return {
        .key = worker_.digest(key), .matched = true, .about = state_.keys->slow_lines()[line].id};
  }
  slow_answer no_match(std::string_view key) {
    return {.key = worker_.digest(key), .matched = false, .about = state_.keys->slow_id()};
  }
  verdict ask_at(std::string_view key, mono_time at, const slow_answer* answer = nullptr,
                 wall_time now = now_) {
    const presented what{.api_key = key, .api_key_lines = 1, .answer = answer};
    return worker_.authenticate(what, credentials{keys_allowed}, {}, state_, now, at);
  }
  static constexpr mono_time at_{std::chrono::hours{1}};
  const std::string alice_ = "legacy-key-of-alice-0001";
};

TEST_F(SlowKeys, AKeyNobodyKnowsWaitsForItsHash) {
  const verdict first = ask_at(alice_, at_);
  EXPECT_TRUE(first.pending());
  EXPECT_EQ(first.why, reason::unverified);
  EXPECT_EQ(first.slow_key, alice_);
  EXPECT_FALSE(first.slow_key_known);
  const slow_answer yes = match(alice_, 0);
  const verdict then = ask_at(alice_, at_, &yes);
  EXPECT_EQ(then.why, reason::none);
  EXPECT_EQ(then.who.view(), "alice");
  const slow_answer no = no_match(alice_);
  EXPECT_EQ(ask_at(alice_, at_, &no).why, reason::unknown_key);
}

TEST_F(SlowKeys, WhatWasLearntIsAskedFirst) {
  worker_.learn(match(alice_, 0), at_, std::chrono::minutes{5});
  EXPECT_EQ(ask_at(alice_, at_ + std::chrono::minutes{4}).who.view(), "alice");
  const verdict old = ask_at(alice_, at_ + std::chrono::minutes{5});
  EXPECT_TRUE(old.pending());
  EXPECT_TRUE(old.slow_key_known);
  worker_.learn(no_match("wrong-key-0000000001"), at_, std::chrono::minutes{5});
  EXPECT_EQ(ask_at("wrong-key-0000000001", at_).why, reason::unknown_key);
  EXPECT_TRUE(ask_at("wrong-key-0000000001", at_ + slow_cache::wrong_for).pending());
}

TEST_F(SlowKeys, ALineThatWasRemovedOpensNothingThoughItsMatchIsRemembered) {
  worker_.learn(match(alice_, 0), at_, std::chrono::minutes{5});
  use("carol:$2y$04$abcdefghijklmnopqrstuulRFb0uOG8QnzkmRxxUYREVy/0Kuyf1W\n");
  EXPECT_FALSE(ask_at(alice_, at_).allowed());
  use("# nobody\n");
  EXPECT_EQ(ask_at(alice_, at_).why, reason::unknown_key);
  use(legacy_file);
  EXPECT_TRUE(ask_at(alice_, at_).allowed());
}

TEST_F(SlowKeys, AWrongKeyIsTriedAgainstALineThatIsNew) {
  worker_.learn(no_match("perhaps-a-key-000001"), at_, std::chrono::minutes{5});
  use("carol:$2y$04$abcdefghijklmnopqrstuulRFb0uOG8QnzkmRxxUYREVy/0Kuyf1W\n");
  EXPECT_TRUE(ask_at("perhaps-a-key-000001", at_).pending());
}

TEST_F(SlowKeys, AMatchOfAnExpiredLineIsExpired) {
  const std::string carol = "legacy-key-of-carol-0003";
  worker_.learn(match(carol, 1), at_, std::chrono::minutes{5});
  const wall_time end{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};
  EXPECT_TRUE(ask_at(carol, at_, nullptr, end - nanoseconds{1}).allowed());
  EXPECT_EQ(ask_at(carol, at_, nullptr, end).why, reason::expired);
}

TEST_F(SlowKeys, OneRequestCostsOneHash) {
  const slow_answer yes = match(alice_, 0);
  const presented two{.api_key = alice_,
                      .api_key_lines = 1,
                      .authorization = "legacy-key-of-carol-0003",
                      .authorization_lines = 1,
                      .answer = &yes};
  const verdict found = worker_.authenticate(two, credentials{keys_allowed}, {}, state_, now_, at_);
  EXPECT_EQ(found.why, reason::ambiguous);
  EXPECT_FALSE(found.pending());
}

TEST_F(SlowKeys, AKeyOfOursNeverWaits) {
  EXPECT_EQ(ask_at(alice_key_, at_).why, reason::unknown_key);
  EXPECT_EQ(ask_at("has space", at_).why, reason::malformed);
}

}  // namespace
}  // namespace rw::auth::testing
