// What boards say of bans and revocations, and what they make of what others say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/ban_board.h"
#include "control/revocation_board.h"
#include "gateway/ban.h"
#include "net/address.h"

namespace rw::control {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr two_clocks start{mono_time{5000s}, wall_time{1'800'000'000s}};

two_clocks after(nanoseconds time) { return {start.mono + time, start.wall + time}; }

config::ip16 address(std::string_view text) {
  config::ip16 ip{};
  EXPECT_TRUE(net::parse_ip(text, ip)) << text;
  return ip;
}

constexpr const char* client = "ban\t192.0.2.1";

class Boards : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/boards-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    state_.ban = gateway::make_ban_plan(config::ban{});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  struct gateway_of {
    explicit gateway_of(std::string name) : words(std::move(name)) { bans.share(&words, start); }
    shared_words words;
    ban_board bans;
    revocation_board revocations;
  };
  void tell(gateway_of& at, std::string_view command, two_clocks now) {
    EXPECT_TRUE(at.bans.change(command, state_, now, audit_, "uid:0").done) << command;
  }
  // All that `from` has said, to `to`.
  void pass(gateway_of& from, gateway_of& to, two_clocks now) {
    for (const shared_word* one : from.words.untold(99)) {
      const shared_word copy = *one;
      if (!to.words.hear(copy)) continue;
      if (copy.name.starts_with(ban_board::word_prefix)) {
        to.bans.hear(copy, now, log_, audit_);
      } else {
        to.revocations.hear(copy, now.wall, log_, audit_);
      }
    }
    to.revocations.settle();
  }
  static bool holds(gateway_of& at, two_clocks now) {
    return at.bans.table()->holds(address("192.0.2.1"), now.mono);
  }
  static void ban_by_failures(gateway_of& at, nanoseconds lasts, two_clocks now) {
    const limit::ban_rule rule{.failures = 1, .within = 60s, .lasts = lasts};
    limit::ban made;
    EXPECT_EQ(at.bans.table()->fail(address("192.0.2.1"), 1, limit::ban_cause::forbidden, rule,
                                    now.mono, made),
              limit::ban_table::effect::banned);
  }

  std::string folder_;
  gateway::snapshot state_;
  audit_events audit_;
  observe::log log_{observe::level::error};
};

TEST_F(Boards, ABanAndItsEndTravelAndNothingComesBack) {
  gateway_of one("one");
  gateway_of two("two");
  ban_by_failures(one, 600s, start);
  one.bans.look(start, log_, audit_);
  ASSERT_NE(one.words.find(client), nullptr);
  pass(one, two, after(1s));
  EXPECT_TRUE(holds(two, after(2s)));
  EXPECT_EQ(two.bans.in_force(), 1U);
  two.bans.look(after(1s), log_, audit_);
  EXPECT_FALSE(two.words.has_untold()) << "what was heard is not said again";
  EXPECT_THAT(two.bans.text(state_, after(1s)), HasSubstr("1 forbidden"));
  EXPECT_FALSE(holds(two, after(601s)));

  tell(two, "unban\t192.0.2.1", after(3s));
  pass(two, one, after(4s));
  EXPECT_FALSE(holds(one, after(5s)));
  EXPECT_EQ(one.bans.in_force(), 0U);
}

TEST_F(Boards, ARepeatIsOneMoreWhereverItIsMadeAndNotTwo) {
  gateway_of one("one");
  gateway_of two("two");
  ban_by_failures(one, 60s, start);
  one.bans.look(start, log_, audit_);
  pass(one, two, start);
  pass(one, two, start);
  ban_by_failures(two, 60s, after(100s));
  two.bans.look(after(100s), log_, audit_);
  EXPECT_TRUE(holds(two, after(219s)));
  EXPECT_FALSE(holds(two, after(221s)));
  pass(two, one, after(100s));
  EXPECT_THAT(one.bans.text(state_, after(101s)), HasSubstr("2 forbidden"));
  EXPECT_TRUE(holds(one, after(219s)));
  EXPECT_FALSE(holds(one, after(221s)));
}

TEST_F(Boards, OfTwoBansByFailuresTheLongerStaysAndIsSaidAgain) {
  gateway_of one("one");
  gateway_of two("two");
  ban_by_failures(one, 600s, start);
  one.bans.look(start, log_, audit_);
  ban_by_failures(two, 60s, after(1s));
  two.bans.look(after(1s), log_, audit_);
  pass(two, one, after(1s));  // later, and shorter
  EXPECT_TRUE(holds(one, after(500s)));
  pass(one, two, after(2s));
  EXPECT_TRUE(holds(two, after(500s)));
  EXPECT_EQ(one.words.find(client)->text, two.words.find(client)->text);
}

TEST_F(Boards, ByHandAShorterOneCounts) {
  gateway_of one("one");
  gateway_of two("two");
  ban_by_failures(one, 600s, start);
  one.bans.look(start, log_, audit_);
  pass(one, two, start);
  tell(two, "ban\t10\t192.0.2.1", after(1s));
  pass(two, one, after(1s));
  EXPECT_TRUE(holds(one, after(2s)));
  EXPECT_FALSE(holds(one, after(12s)));
}

TEST_F(Boards, WhatWasLiftedElsewhereIsLiftedByARestart) {
  gateway_of one("one");
  ASSERT_TRUE(one.bans.open(folder_, start));
  tell(one, "ban\t3600\t192.0.2.1", start);
  one.bans.keep(start, log_);
  gateway_of other("other");
  pass(one, other, start);
  tell(other, "unban\t192.0.2.1", after(2s));

  gateway_of again("one");
  ASSERT_TRUE(again.bans.open(folder_, after(10s)));
  ASSERT_TRUE(again.words.parse(other.words.to_text()));
  EXPECT_TRUE(holds(again, after(10s)));
  again.bans.share(&again.words, after(10s));
  EXPECT_FALSE(holds(again, after(10s)));
  EXPECT_EQ(again.bans.in_force(), 0U);
}

TEST_F(Boards, NonsenseIsNoBan) {
  gateway_of one("one");
  for (const char* text : {"1\t1", "x\t1\tforbidden", "1800000600000\t0\tforbidden", "\t\t",
                           "99999999999999999\t1\tforbidden"}) {
    shared_word word{.name = client, .text = text, .version = 1};
    one.bans.hear(word, start, log_, audit_);
    EXPECT_EQ(one.bans.in_force(), 0U) << text;
  }
  one.bans.hear({.name = "ban\tsomebody", .text = "1800000600000\t1\tforbidden"}, start, log_,
                audit_);
  EXPECT_EQ(one.bans.in_force(), 0U);
  for (const char* name : {"revoke\tidentity\t\t", "revoke\tname\t\tx", "revoke\tjti"}) {
    one.revocations.hear({.name = name, .text = "1\t0"}, start.wall, log_, audit_);
    EXPECT_FALSE(one.revocations.settle()) << name;
  }
}

TEST_F(Boards, RevocationsTravelAndAreInTheFile) {
  gateway_of one("one");
  gateway_of two("two");
  ASSERT_TRUE(two.revocations.open(folder_));
  EXPECT_FALSE(one.revocations.share(&one.words));
  EXPECT_FALSE(two.revocations.share(&two.words));
  ASSERT_TRUE(one.revocations.change("revoke\tidentity\t0\t\talice", start.wall, "uid:0").done);
  ASSERT_TRUE(one.revocations.change("revoke\tjti\t60\thttps://a\tid 7", start.wall).done);
  pass(one, two, start);
  ASSERT_NE(two.revocations.list(), nullptr);
  EXPECT_TRUE(two.revocations.list()->has_identity("alice", start.wall));
  EXPECT_TRUE(two.revocations.list()->has_token("https://a", "id 7", "", start.wall));
  EXPECT_FALSE(two.revocations.list()->has_token("https://a", "id 7", "", start.wall + 61s));
  two.revocations.keep_heard(start.mono, log_);

  ASSERT_TRUE(one.revocations.change("unrevoke\tidentity\t\talice", after(2s).wall).done);
  pass(one, two, after(2s));
  EXPECT_FALSE(two.revocations.list()->has_identity("alice", after(3s).wall));

  // As it was written before that: what was taken back since is so after a restart too.
  revocation_board again;
  ASSERT_TRUE(again.open(folder_));
  EXPECT_TRUE(again.list()->has_identity("alice", start.wall));
  shared_words words("two");
  ASSERT_TRUE(words.parse(two.words.to_text()));
  EXPECT_TRUE(again.share(&words));
  EXPECT_FALSE(again.list()->has_identity("alice", start.wall));
}

}  // namespace
}  // namespace rw::control
