#include "auth/key_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace rw::auth {
namespace {

struct loaded {
  std::optional<key_store> store;
  config::diagnostics found;
};

loaded load(std::string_view text) {
  loaded out;
  out.store = load_keys(text, "keys", out.found);
  return out;
}

new_key make(std::string_view name) {
  auto made = generate_key(name);
  EXPECT_TRUE(made) << name;
  return std::move(*made);
}

TEST(KeyFile, GeneratedKeysVerify) {
  random_init();
  const new_key alice = make("alice");
  const new_key bob = make("bob_the_builder");
  EXPECT_TRUE(alice.key.starts_with("rw_alice_"));
  EXPECT_EQ(alice.key.size(), std::string("rw_alice_").size() + 43);
  EXPECT_TRUE(alice.line.starts_with("alice:rwk1$"));
  EXPECT_EQ(alice.line.find(alice.key), std::string::npos);

  const loaded file = load("# keys\n\n" + alice.line + "\r\n  " + bob.line + "  \n");
  ASSERT_TRUE(file.store);
  EXPECT_TRUE(file.found.empty());
  EXPECT_EQ(file.store->size(), 2U);
  EXPECT_EQ(file.store->verify(alice.key), "alice");
  EXPECT_EQ(file.store->verify(bob.key), "bob_the_builder");
  for (std::size_t i = 0; i < bob.key.size(); ++i) {
    std::string changed = bob.key;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(file.store->verify(changed)) << i;
  }
  EXPECT_FALSE(file.store->verify(bob.key + "0"));
  EXPECT_FALSE(file.store->verify(bob.key.substr(1)));
  EXPECT_FALSE(file.store->verify(""));
  EXPECT_FALSE(file.store->verify(bob.line));
  EXPECT_FALSE(file.store->verify(make("bob_the_builder").key));
  EXPECT_FALSE(file.store->verify(make("nobody").key));
}

TEST(KeyFile, OneNameMayHaveSeveralKeys) {
  const new_key first = make("alice");
  const new_key second = make("alice");
  const new_key third = make("alice");
  const loaded file = load(first.line + "\n" + second.line + "\n" + third.line);
  ASSERT_TRUE(file.store);
  for (const new_key* one : {&first, &second, &third}) {
    EXPECT_EQ(file.store->verify(one->key), "alice");
  }
}

TEST(KeyFile, KeysInTheClearWorkWithOneWarningEach) {
  const loaded file =
      load("bare-key-of-some-length\n\n# x\nalice:her.key.with.dots-and:colon\nbob:short\n");
  ASSERT_TRUE(file.store);
  EXPECT_EQ(file.store->verify("bare-key-of-some-length"), "key-1");
  EXPECT_EQ(file.store->verify("her.key.with.dots-and:colon"), "alice");
  EXPECT_EQ(file.store->verify("short"), "bob");
  EXPECT_FALSE(file.store->verify("alice:her.key.with.dots-and:colon"));
  ASSERT_EQ(file.found.size(), 3U);
  const std::uint32_t lines[] = {1, 4, 5};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(file.found[i].severity, config::diagnostic::level::warning);
    EXPECT_EQ(file.found[i].line, lines[i]);
    EXPECT_EQ(file.found[i].file, "keys");
  }
  EXPECT_NE(file.found[2].text.find("128 bits"), std::string::npos);
}

TEST(KeyFile, HashedLinesOfForeignKeysAreFound) {
  const std::string key = "sk-live-0123456789abcdef";
  const auto line = hash_line("carol", key);
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->starts_with("carol:rwk1$"));
  const loaded file = load(*line);
  ASSERT_TRUE(file.store);
  EXPECT_TRUE(file.found.empty());
  EXPECT_EQ(file.store->verify(key), "carol");
  EXPECT_FALSE(file.store->verify("sk-live-0123456789abcdeg"));
}

// Fixed for ever: files in the field depend on it.
TEST(KeyFile, FormatIsStable) {
  const loaded file = load(
      "dave:rwk1$AAECAwQFBgcICQoLDA0ODw$SxJym2L7rFgKxr_cY4TQ5BFD44VR0JjFMJW20PW6QdY\n"
      "carol:rwk1$hTU3haWJGJk3XlVYYJIFlQ$MLR6rpjo5k8ARi_X7I9xEBX20Zu8eSO-wPp-JtTbEAk\n");
  ASSERT_TRUE(file.store);
  EXPECT_EQ(file.store->verify("rw_dave_0123456789012345678901234567890123456789012"), "dave");
  EXPECT_EQ(file.store->verify("sk-live-0123456789abcdef"), "carol");
}

TEST(KeyFile, BadLinesAreNamedAndNeverQuoted) {
  const std::string secret = "s3cr3t-that-must-not-show";
  const std::string hash43(43, 'A');
  const struct {
    std::string line;
    const char* text;
  } cases[] = {
      {"alice:$2b$12$" + secret, "not yet supported"},
      {"alice:$2a$12$" + secret, "not yet supported"},
      {"alice:$2y$12$" + secret, "not yet supported"},
      {"alice:$argon2id$v=19$m=65536,t=3,p=4$" + secret, "not yet supported"},
      {"alice:$6$" + secret, "unknown"},
      {"alice:rwk2$" + secret, "unknown"},
      {"alice:rwk1$" + secret, "22 base64url"},
      {"alice:rwk1$AAAA$" + hash43, "22 base64url"},
      {"alice:rwk1$AAAAAAAAAAAAAAAAAAAAAA$" + hash43.substr(1), "22 base64url"},
      {"alice:rwk1$AAAAAAAAAAAAAAAAAAAAAB$" + hash43, "22 base64url"},
      {"alice:rwk1$AAAAAAAAAAAAAAAAAAAAAA$" + hash43 + "=", "22 base64url"},
      {":" + secret, "name"},
      {"al@ice:" + secret, "name"},
      {"al ice:" + secret, "name"},
      {std::string(257, 'n') + ":" + secret, "name"},
      {"alice:", "visible"},
      {"alice:" + secret + " x", "visible"},
      {secret + "\x01", "visible"},
      {"alice:" + std::string(1025, 'k'), "visible"},
  };
  for (const auto& one : cases) {
    const loaded file = load("# first\n" + one.line + "\nbob:another-key-in-the-clear\n");
    EXPECT_FALSE(file.store) << one.line;
    ASSERT_GE(file.found.size(), 1U) << one.line;
    EXPECT_EQ(file.found[0].severity, config::diagnostic::level::error) << one.line;
    EXPECT_EQ(file.found[0].line, 2U) << one.line;
    EXPECT_NE(file.found[0].text.find(one.text), std::string::npos) << file.found[0].text;
    EXPECT_EQ(file.found[0].text.find(secret), std::string::npos);
  }
}

TEST(KeyFile, AKeyTwiceIsAnError) {
  const new_key alice = make("alice");
  EXPECT_FALSE(load(alice.line + "\n" + alice.line).store);
  EXPECT_FALSE(load("a:one-plain-key-of-length\nb:one-plain-key-of-length").store);
  EXPECT_FALSE(load("a:" + alice.key + "\n" + alice.line).store);
  EXPECT_FALSE(load(alice.line + "\n" + alice.key).store);
  const auto line = hash_line("a", "sk-live-0123456789abcdef");
  EXPECT_FALSE(load("b:sk-live-0123456789abcdef\n" + *line).store);
}

TEST(KeyFile, AGeneratedKeyInTheClearWorksToo) {
  const new_key alice = make("alice");
  const loaded file = load(alice.key);
  ASSERT_TRUE(file.store);
  EXPECT_EQ(file.store->verify(alice.key), "key-1");
}

TEST(KeyFile, HashLineRefusesWeakAndForeignNames) {
  EXPECT_FALSE(hash_line("a", "fifteen-octets!"));
  EXPECT_TRUE(hash_line("a", "sixteen--octets!"));
  EXPECT_FALSE(hash_line("a", "has a space in the middle"));
  EXPECT_FALSE(hash_line("a:b", "sixteen--octets!"));
  EXPECT_FALSE(hash_line("a", std::string(1025, 'x')));
  const new_key alice = make("alice");
  EXPECT_FALSE(hash_line("bob", alice.key));
  const auto line = hash_line("alice", alice.key);
  ASSERT_TRUE(line);
  EXPECT_EQ(load(*line).store->verify(alice.key), "alice");
}

TEST(KeyFile, NamesThatCannotWorkAreRefused) {
  for (const char* bad : {"", "a:b", "a@b", "a b", "#a", "a.b.c", "\x7f", "\xc3\xa9"}) {
    EXPECT_FALSE(generate_key(bad)) << bad;
  }
  for (const char* good : {"a", "a.b", "A_b-1", "rw_x_y", "~"})
    EXPECT_TRUE(generate_key(good)) << good;
  EXPECT_TRUE(generate_key(std::string(256, 'n')));
}

TEST(KeyFile, AnEmptyFileHoldsNoKeys) {
  const loaded file = load("# nothing yet\n");
  ASSERT_TRUE(file.store);
  EXPECT_EQ(file.store->size(), 0U);
  EXPECT_FALSE(file.store->verify("anything"));
}

TEST(KeyFile, AHundredThousandKeys) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += fmt::format("n{}:plain-key-number-{:08}\n", i, i);
  const loaded file = load(text);
  ASSERT_TRUE(file.store);
  EXPECT_EQ(file.store->size(), 100'000U);
  EXPECT_EQ(file.store->verify("plain-key-number-00077777"), "n77777");
  EXPECT_FALSE(file.store->verify("plain-key-number-00100000"));
}

TEST(KeyFile, NamesInKeysAreReadFromTheLastUnderscore) {
  const std::string secret(43, 'z');
  EXPECT_EQ(name_in_key("rw_a_" + secret), "a");
  EXPECT_EQ(name_in_key("rw_a_b_" + secret), "a_b");
  EXPECT_FALSE(name_in_key("rw__" + secret));
  EXPECT_FALSE(name_in_key("rw_" + secret));
  EXPECT_FALSE(name_in_key("rw_a_" + secret.substr(1)));
  EXPECT_FALSE(name_in_key("rw_a_" + secret.substr(1) + "-"));
  EXPECT_FALSE(name_in_key("rw_a@b_" + secret));
  EXPECT_FALSE(name_in_key("RW_a_" + secret));
}

}  // namespace
}  // namespace rw::auth
