#include "control/shared_words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/random.h"

namespace rw::control {
namespace {

using namespace std::chrono_literals;

constexpr wall_time start{1'800'000'000s};
constexpr std::uint64_t start_ms = 1'800'000'000'000;

shared_word word(std::string name, std::string text = "holds") {
  return {.name = std::move(name), .text = std::move(text)};
}

TEST(SharedWords, TheLaterWordCountsWhateverOrderTheyComeIn) {
  shared_words here("here:1");
  ASSERT_TRUE(here.say(word("ban\ta", "first"), start));
  EXPECT_EQ(here.find("ban\ta")->version, start_ms);
  EXPECT_EQ(here.find("ban\ta")->from, "here:1");
  shared_word other = word("ban\ta", "second");
  other.version = start_ms + 5;
  EXPECT_TRUE(here.hear(other));
  EXPECT_FALSE(here.hear(other)) << "no news the second time";
  other.version = start_ms + 4;
  other.text = "late";
  EXPECT_FALSE(here.hear(other));
  EXPECT_EQ(here.find("ban\ta")->text, "second");
  EXPECT_TRUE(here.has_untold()) << "whoever has the older word is to hear of this one";
}

TEST(SharedWords, WhoKnewOfAWordIsLaterThanItWhateverTheClockSays) {
  shared_words here("here");
  shared_word other = word("ban\ta");
  other.version = start_ms + 3'600'000;
  ASSERT_TRUE(here.hear(other));
  ASSERT_TRUE(here.say(word("ban\ta", ""), start));
  EXPECT_EQ(here.find("ban\ta")->version, other.version + 1);
}

TEST(SharedWords, WhatWasToldIsToldOnceUntilThatIsForgotten) {
  shared_words here("here");
  for (const char* name : {"a", "b", "c"}) here.say(word(name), start);
  ASSERT_EQ(here.untold(2).size(), 2U);
  for (const char* name : {"a", "b", "c"}) here.told(name, start_ms);
  EXPECT_FALSE(here.has_untold());
  here.say(word("b", "other"), start);
  here.told("b", start_ms);
  EXPECT_TRUE(here.has_untold()) << "it has been said anew meanwhile";
  here.forget_told();
  shared_word known = *here.find("a");
  EXPECT_FALSE(here.hear(known));
  EXPECT_EQ(here.untold(9).size(), 2U) << "what Redis says itself need not be told";
}

TEST(SharedWords, WhatWasTakenBackStaysSoAcrossARestart) {
  shared_words before("here");
  before.say(word("ban\t192.0.2.1"), start);
  before.say(word("ban\t192.0.2.1", ""), start + 1s);
  before.say(word("ban\t192.0.2.2"), start);
  const std::string text = before.to_text();
  shared_words after("here");
  ASSERT_TRUE(after.parse(text));
  EXPECT_EQ(after.size(), 1U);
  EXPECT_FALSE(after.recall(word("ban\t192.0.2.1"), start - 1s));
  EXPECT_TRUE(after.recall(word("ban\t192.0.2.2"), start - 1s));
  EXPECT_TRUE(after.recall(word("ban\t192.0.2.1"), start + 2s)) << "it was banned again";
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(shared_words("x").parse(text.substr(0, i))) << i;
  }
}

TEST(SharedWords, WhatIsOverIsForgotten) {
  shared_words here("here");
  shared_word one = word("a");
  one.end_ms = start_ms + 1000;
  here.say(one, start);
  here.say(word("b"), start);
  here.say(word("b", ""), start);
  const std::uint64_t changes = here.lifted_changes();
  here.forget_over(start + 1s);
  EXPECT_EQ(here.size(), 1U);
  EXPECT_EQ(here.lifted_changes(), changes);
  here.forget_over(start + shared_words::remembered + 1s);
  EXPECT_EQ(here.size(), 0U);
  EXPECT_GT(here.lifted_changes(), changes);
  EXPECT_FALSE(here.has_untold());
}

TEST(SharedWords, ThereIsABound) {
  shared_words here("here");
  for (std::size_t i = 0; i < shared_words::most; ++i) {
    ASSERT_TRUE(here.say(word("ban\t" + std::to_string(i)), start));
  }
  EXPECT_FALSE(here.say(word("one more"), start));
  EXPECT_EQ(here.without_room(), 1U);
  EXPECT_TRUE(here.say(word("ban\t7", ""), start));
}

// Gateways and a Redis that forgets, in every order that a seed makes: once all have asked often
// enough without anything being said, all know the same, and that is what the last word was.
class Replicas {
 public:
  explicit Replicas(unsigned seed) : drawn_(seed) {
    for (int i = 0; i < 3; ++i) gateways_.push_back({shared_words("g" + std::to_string(i))});
  }
  void run() {
    for (int step = 0; step < 400; ++step) {
      now_ += std::chrono::milliseconds(1 + drawn_() % 5);
      gateway& at = gateways_[drawn_() % gateways_.size()];
      switch (drawn_() % 8) {
        case 0:
        case 1:
          at.words.say(word("n" + std::to_string(drawn_() % 4),
                            drawn_() % 3 == 0 ? "" : std::to_string(step)),
                       now_);
          break;
        case 2:
          if (drawn_() % 8 == 0) flush();
          break;
        default:
          ask(at);
      }
    }
    loses_answers_ = false;
    for (int round = 0; round < 4; ++round) {
      for (gateway& at : gateways_) ask(at);
    }
  }
  void expect_agreement() {
    for (int n = 0; n < 4; ++n) {
      const std::string name = "n" + std::to_string(n);
      const shared_word* first = gateways_[0].words.find(name);
      for (gateway& at : gateways_) {
        const shared_word* other = at.words.find(name);
        ASSERT_EQ(first == nullptr, other == nullptr) << name;
        if (first != nullptr) EXPECT_EQ(first->text, other->text) << name;
        EXPECT_FALSE(at.words.has_untold());
      }
    }
  }

 private:
  struct gateway {
    shared_words words;
    int epoch = -1;
  };
  void flush() {
    redis_.clear();
    ++epoch_;
  }
  void ask(gateway& at) {
    if (at.epoch != epoch_) at.words.forget_told();
    at.epoch = epoch_;
    for (const auto& [name, held] : redis_) at.words.hear(held);
    const bool answer_is_lost = loses_answers_ && drawn_() % 6 == 0;
    for (const shared_word* one : at.words.untold(2)) {
      const shared_word copy = *one;
      const auto held = redis_.find(copy.name);
      if (held == redis_.end() || held->second.version < copy.version) redis_[copy.name] = copy;
      if (!answer_is_lost) at.words.told(copy.name, copy.version);
    }
  }

  std::mt19937 drawn_;
  std::vector<gateway> gateways_;
  std::map<std::string, shared_word> redis_;
  int epoch_ = 0;
  bool loses_answers_ = true;
  wall_time now_ = start;
};

TEST(SharedWords, GatewaysAgreeWhateverRedisForgets) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Replicas all(seed);
    all.run();
    all.expect_agreement();
    if (HasFailure()) return;
  }
}

TEST(WordSeal, OpensWhatItClosedAndNothingElse) {
  random_init();
  const word_seal seal(limit::make_shared_secret("secret"));
  const word_seal other(limit::make_shared_secret("another"));
  shared_word one{.name = "revoke\tjti\thttps://a\tid 7",
                  .text = "1\t2",
                  .from = "edge-1:8443",
                  .by = "uid:0",
                  .version = 7,
                  .end_ms = 9};
  std::string sealed = seal.close(one);
  const auto opened = seal.open(sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->name, one.name);
  EXPECT_EQ(opened->text, one.text);
  EXPECT_EQ(opened->from, one.from);
  EXPECT_EQ(opened->by, one.by);
  EXPECT_EQ(opened->version, one.version);
  EXPECT_EQ(opened->end_ms, one.end_ms);
  EXPECT_EQ(sealed.find("jti"), std::string::npos);
  EXPECT_NE(sealed, seal.close(one));
  EXPECT_FALSE(other.open(sealed));
  EXPECT_NE(seal.id(), other.id());
  EXPECT_NE(seal.hide(one.name), other.hide(one.name));
  EXPECT_EQ(seal.hide(one.name).size(), 32U);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string bad = sealed;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(seal.open(bad)) << i;
    EXPECT_FALSE(seal.open(sealed.substr(0, i))) << i;
  }
  EXPECT_FALSE(seal.open(std::string(word_seal::bytes_max + 1, 'x')));
}

}  // namespace
}  // namespace rw::control
