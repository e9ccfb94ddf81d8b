#include "control/import_keys.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/key_file.h"
#include "auth/key_store.h"
#include "base/random.h"

namespace rw::control {
namespace {

constexpr std::string_view bcrypt = "$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";

class ImportKeys : public testing::Test {
 protected:
  ImportKeys() { random_init(); }

  // Who is let in by the lines made of `file`.
  std::string owner(const std::string& file, const std::string& key, bool tokens_too = false) {
    notes_.clear();
    made_ = import_keys(read_old_key_file(file, "api_keys.txt"), tokens_too, notes_);
    config::diagnostics found;
    const auto store = auth::load_keys(made_.text, "made", found);
    if (!store) return "the lines made are wrong: " + config::to_string(found.front());
    EXPECT_EQ(store->size(), made_.hashed + made_.plain);
    return std::string(store->verify(key).value_or("nobody"));
  }
  std::string said() const {
    std::string all;
    for (const import_note& one : notes_) all += to_string(one) + "\n";
    return all;
  }

  imported_keys made_;
  import_notes notes_;
};

TEST_F(ImportKeys, AKeyInTheClearBecomesItsHash) {
  const std::string key = "plain-key-0123456789";
  EXPECT_EQ(owner("# one\r\n\r\n  " + key + "\t\r\n", key), "key-3");
  EXPECT_FALSE(made_.text.contains(key));
  EXPECT_EQ(made_.text, *auth::hash_line("key-3", key) + "\n");
  EXPECT_EQ(said(), "");
}

TEST_F(ImportKeys, WhatAShellWouldEvaluateIsTheKeyItself) {
  for (const std::string key :
       {"$(touch${IFS}/tmp/rw)", "`touch${IFS}/tmp/rw`", "\"quoted-0123456\"", "a:colon:0123456789",
        "';DROP-TABLE-keys;--", "\\n\\x41\\u0041-0123"}) {
    EXPECT_EQ(owner(key, key), "key-1") << key;
    EXPECT_FALSE(made_.text.contains(key));
  }
}

TEST_F(ImportKeys, AShortKeyStaysInTheClearAndIsTold) {
  EXPECT_EQ(owner("a:b\n", "a:b"), "key-1");
  EXPECT_EQ(made_.plain, 1U);
  EXPECT_TRUE(said().starts_with("api_keys.txt:1: this key is shorter than 128 bits")) << said();
  EXPECT_EQ(owner("rwk1$x", "rwk1$x"), "nobody");  // its line would be taken for a hash
  EXPECT_EQ(owner("#x\nokay", "okay"), "key-2");
}

TEST_F(ImportKeys, ABcryptLineIsCarriedOverAsItIs) {
  const std::string line = fmt::format("alice:{}", bcrypt);
  EXPECT_EQ(owner(line, "no"), "nobody");
  EXPECT_EQ(made_.text, line + "\n");
  EXPECT_EQ(said(), "");
}

TEST_F(ImportKeys, ABcryptHashWithoutANameGetsThatOfItsLine) {
  EXPECT_EQ(owner(fmt::format("# one\n{}\n", bcrypt), "no"), "nobody");
  EXPECT_EQ(made_.text, fmt::format("key-2:{}\n", bcrypt));
}

TEST_F(ImportKeys, OurOwnLinesStay) {
  const auto made = auth::generate_key("bob");
  EXPECT_EQ(owner(made->line, made->key), "bob");
  EXPECT_EQ(made_.text, made->line + "\n");
  EXPECT_EQ(owner(made->key, made->key), "bob");  // the key itself says whose it is
}

TEST_F(ImportKeys, NamesAreUnique) {
  const auto ours = auth::hash_line("key-2", "somebody-else-0123456789");
  const std::string file = *ours + "\nsecond-0123456789\n";
  EXPECT_EQ(owner(file, "second-0123456789"), "key-2-2");
  EXPECT_EQ(owner(file, "somebody-else-0123456789"), "key-2");
}

TEST_F(ImportKeys, AKeyThatIsThereTwiceIsCarriedOverOnce) {
  const std::string key = "twice-0123456789";
  EXPECT_EQ(
      owner(fmt::format("{0}\n{0}\n{1}\nshort\nshort\n", key, *auth::hash_line("x", key)), key),
      "x");
  EXPECT_EQ(made_.hashed, 1U);
  EXPECT_EQ(made_.plain, 1U);
  EXPECT_EQ(notes_.size(), 4U) << said();
}

TEST_F(ImportKeys, ALineIsNeverMadeOutOfAKey) {
  const auto evil = auth::generate_key("evil");
  notes_.clear();
  const std::vector<old_key> keys{{evil->line + "\n" + evil->line, "a", ".env", 1},
                                  {"x\n" + evil->line, "b", ".env", 2},
                                  {"0123456789abcdef\nevil:0123456789abcdeg", "c", ".env", 3},
                                  {"#:rwk1$a", "d", ".env", 4}};
  EXPECT_EQ(import_keys(keys, false, notes_).text, "");
  EXPECT_EQ(notes_.size(), 4U) << said();
}

TEST_F(ImportKeys, WhatCannotBeAKeyIsLeftOutAndNeverQuoted) {
  const std::string file = "two words\ncaf\xc3\xa9-0123456789abcdef\n" + std::string(1025, 'k') +
                           "\nsesame:$5$unknown\nse@same:$2b$10$x\n" +
                           std::string("sesame\0x\n", 9);
  EXPECT_EQ(owner(file, "no"), "nobody");
  EXPECT_EQ(made_.text, "");
  EXPECT_EQ(notes_.size(), 6U) << said();
  EXPECT_FALSE(said().contains("same")) << said();
}

TEST_F(ImportKeys, AKeyThatLooksLikeATokenIsTold) {
  const std::string key = "aaaaaaaa.bbbbbbbb.cccccccc";
  EXPECT_EQ(owner(key, key, true), "key-1");
  EXPECT_TRUE(said().contains("taken for a token")) << said();
  EXPECT_EQ(owner(key, key, false), "key-1");
  EXPECT_EQ(said(), "");
}

}  // namespace
}  // namespace rw::control
