#include "auth/key_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "auth/slow_hash.h"
#include "base/random.h"
#include "unit/auth/rule_table.h"

namespace rw::auth {
namespace {

constexpr std::string_view bcrypt_line =
    "alice:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq";
constexpr std::string_view argon_line =
    "dave:$argon2id$v=19$m=64,t=1,p=1$Cip83S9j3D/oXz0quPGoHg$"
    "95QvaQ7lIXPvtXs2jNGDJ6JqTtjkzS6LiooYVw0lww0";

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

std::string date_of(wall_time at) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(at));
  return fmt::format("{}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

void expect_accepted(const loaded& file, testing::element row) {
  ASSERT_TRUE(file.store) << row;
  if (testing::has(row, "keys")) {
    for (const auto& [key, owner] : row["keys"].get_object()) {
      std::string_view name;
      const bool known = owner.get_string().get(name) == simdjson::SUCCESS;
      EXPECT_EQ(file.store->verify(key), known ? std::optional(name) : std::nullopt) << key << row;
    }
  }
  if (testing::has(row, "lines")) {
    std::multiset<std::string> lines;
    for (const key_store::listed& one : file.store->list()) {
      std::string line = fmt::format("{} {}", one.name, one.kind);
      if (one.expires != wall_time::max()) line += " " + date_of(one.expires);
      lines.insert(std::move(line));
    }
    const auto expected = testing::texts_of(row, "lines");
    EXPECT_EQ(lines, std::multiset<std::string>(expected.begin(), expected.end())) << row;
  }
  std::size_t warnings = 0;
  if (testing::has(row, "warnings")) {
    for (const testing::element expected : row["warnings"].get_array()) {
      ASSERT_LT(warnings, file.found.size()) << row;
      const config::diagnostic& one = file.found[warnings++];
      EXPECT_EQ(one.severity, config::diagnostic::level::warning) << row;
      EXPECT_EQ(one.file, "keys");
      EXPECT_EQ(one.line, testing::number_of(expected, "line")) << row;
      EXPECT_NE(one.text.find(testing::text_of(expected, "says")), std::string::npos) << one.text;
    }
  }
  EXPECT_EQ(file.found.size(), warnings) << row;
}

// The two rwk1 lines in it are fixed for ever: files in the field depend on their form.
TEST(KeyFile, RulesOfTheTable) {
  const testing::rule_table table("key_files.json");
  testing::both_ways tried;
  for (const testing::element row : table.rows()) {
    const loaded file = load(testing::text_of(row, "text"));
    const bool accepted = testing::text_of(row, "result") == "accept";
    tried.count(row, accepted);
    for (const config::diagnostic& one : file.found) {
      EXPECT_EQ(one.text.find("s3cr3t"), std::string::npos) << row;
    }
    if (accepted) {
      expect_accepted(file, row);
      continue;
    }
    EXPECT_FALSE(file.store) << row;
    const auto first = std::ranges::find(file.found, config::diagnostic::level::error,
                                         &config::diagnostic::severity);
    ASSERT_NE(first, file.found.end()) << row;
    EXPECT_EQ(first->line, testing::number_of(row, "line")) << row;
    EXPECT_NE(first->text.find(testing::text_of(row, "says")), std::string::npos) << first->text;
  }
}

TEST(KeyFile, SlowHashesAreKeptForThosePresentedWithoutAName) {
  const std::string hash(bcrypt_line.substr(6));
  const loaded file =
      load(fmt::format("{}\n{}\n{}\n", bcrypt_line, argon_line,
                       "$2b$04$abcdefghijklmnopqrstuulRFb0uOG8QnzkmRxxUYREVy/0Kuyf1W"));
  ASSERT_TRUE(file.store);
  EXPECT_TRUE(file.found.empty());
  const auto lines = file.store->slow_lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].name, "alice");
  EXPECT_EQ(lines[1].name, "dave");
  EXPECT_EQ(lines[2].name, "key-3");
  EXPECT_TRUE(matches_slow_hash(lines[0].hash, "legacy-key-of-alice-0001"));
  EXPECT_FALSE(matches_slow_hash(lines[0].hash, "legacy-key-of-alice-0002"));
  EXPECT_TRUE(matches_slow_hash(lines[1].hash, "legacy-key-of-dave-00005"));
  EXPECT_FALSE(matches_slow_hash(lines[1].hash, ""));
  EXPECT_FALSE(matches_slow_hash(lines[0].hash, std::string(73, 'x')));
  EXPECT_TRUE(file.store->may_be_slow("anything-visible"));
  EXPECT_FALSE(file.store->may_be_slow(make("alice").key));
  EXPECT_EQ(file.store->slow_line_of(lines[1].id), &lines[1]);
  EXPECT_FALSE(load(fmt::format("{0}\n{0}\n", bcrypt_line)).store);
  // Another set of lines is another identity, whichever line it is that changed.
  EXPECT_NE(load(std::string(bcrypt_line)).store->slow_id(), file.store->slow_id());
}

TEST(KeyFile, EveryPrefixOfBcryptThatIsInUse) {
  for (const auto& [hash, key] :
       {std::pair{"$2a$04$abcdefghijklmnopqrstuuAAulE.rwYXdmENf5qO0jhF7/BVRCQM6",
                  "legacy-key-of-bob-000002"},
        std::pair{"$2y$04$abcdefghijklmnopqrstuulRFb0uOG8QnzkmRxxUYREVy/0Kuyf1W",
                  "legacy-key-of-carol-0003"}}) {
    EXPECT_EQ(refuse_slow_hash(hash), nullptr);
    EXPECT_TRUE(matches_slow_hash(hash, key));
  }
}

TEST(KeyFile, AKeyEndsWhenItsDateBegins) {
  const new_key alice = make("alice");
  const new_key next = make("alice");
  const loaded file =
      load(fmt::format("alice@2027-01-01:{}\n{}\nbob@2027-01-01:a-key-in-the-clear\n",
                       alice.line.substr(6), next.line));
  ASSERT_TRUE(file.store);
  const wall_time end{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};
  EXPECT_EQ(file.store->find(alice.key)->expires, end);
  EXPECT_EQ(file.store->find(next.key)->expires, wall_time::max());
  EXPECT_EQ(file.store->find("a-key-in-the-clear")->expires, end);
}

TEST(KeyFile, EveryLineHasATagThatGatesWithTheSameSecretAgreeOn) {
  const std::string_view slow = "$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq";
  const new_key alice = make("alice");
  const std::string lines =
      fmt::format("{}\nbob@2027-01-01:a-key-in-the-clear\ncarol:{}\n{}\n", alice.line, slow, slow);
  loaded here = load(lines);
  loaded there = load("# somewhere else\n" + lines);
  loaded other = load(lines);
  const line_tag none{};
  EXPECT_FALSE(here.store->has_line(none, wall_time{}));
  here.store->tag_lines("secret");
  there.store->tag_lines("secret");
  other.store->tag_lines("another");
  std::set<line_tag> tags;
  for (const std::string& key : {alice.key, std::string("a-key-in-the-clear")}) {
    const line_tag tag = here.store->find(key)->tag;
    EXPECT_TRUE(tags.insert(tag).second);
    EXPECT_EQ(there.store->find(key)->tag, tag);
    EXPECT_FALSE(other.store->has_line(tag, wall_time{}));
  }
  for (const slow_line& one : here.store->slow_lines()) {
    EXPECT_TRUE(tags.insert(one.tag).second);
    EXPECT_EQ(there.store->has_line(one.tag, wall_time{}), one.name == "carol") << one.name;
  }
  EXPECT_FALSE(here.store->has_line(none, wall_time{}));
  const wall_time end{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};
  const line_tag bob = here.store->find("a-key-in-the-clear")->tag;
  EXPECT_TRUE(here.store->has_line(bob, end - nanoseconds{1}));
  EXPECT_FALSE(here.store->has_line(bob, end));
  // The line that `ringward key hash` makes of a key in the clear is the same one.
  loaded hashed = load(*hash_line("bob", "a-key-in-the-clear") + "\n");
  hashed.store->tag_lines("secret");
  EXPECT_TRUE(hashed.store->has_line(bob, end));
}

TEST(KeyFile, ANameMayHaveARateOfItsOwn) {
  random_init();
  const new_key first = make("alice");
  const new_key second = make("alice");
  const loaded file =
      load(first.line + " rate=100/s\n" + second.line + "\n" + std::string(argon_line) +
           "\t rate=5/m \n" + "a-key-in-the-clear-of-128-bits rate=7/h\n");
  ASSERT_TRUE(file.store);
  EXPECT_EQ(file.store->verify(second.key), "alice");
  EXPECT_EQ(file.store->slow_lines().size(), 1U);
  EXPECT_EQ(file.store->verify("a-key-in-the-clear-of-128-bits"), "key-4");
  const auto is = [&](std::string_view name, std::uint64_t count, nanoseconds per) {
    const config::rate rate = file.store->rate_of(name);
    EXPECT_EQ(rate.count, count) << name;
    EXPECT_EQ(rate.per, per) << name;
  };
  is("alice", 100, std::chrono::seconds{1});
  is("dave", 5, std::chrono::minutes{1});
  is("key-4", 7, std::chrono::hours{1});
  is("bob", 0, {});
  for (const auto& one : file.store->list()) EXPECT_NE(one.rate.count, 0U) << one.name;
}

TEST(KeyFile, RatesThatCannotBe) {
  random_init();
  const std::string line = make("alice").line;
  const std::string other = make("alice").line;
  const auto refused = [](const std::string& text) -> std::string {
    const loaded file = load(text);
    EXPECT_FALSE(file.store) << text;
    return file.found.empty() ? "" : file.found.back().text;
  };
  for (const char* bad : {" rate=", " rate=0/s", " rate=10", " rate=10/d", " 10/s", " burst=3",
                          " rate=1/s rate=1/s", " rate=1/s x"}) {
    EXPECT_EQ(
        refused(line + bad + "\n"),
        "a key is visible ASCII without spaces; after it there can only be its name's rate, as "
        "rate=100/s")
        << bad;
  }
  EXPECT_EQ(refused(line + " rate=1/s\n" + other + " rate=60/m\n"),
            "an earlier line gives this name another rate");
  EXPECT_TRUE(load(line + " rate=1/s\n" + other + " rate=1/s\n").store);
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
