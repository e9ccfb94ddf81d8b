#include "control/ban_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "config/load.h"
#include "gateway/ban.h"
#include "net/address.h"

namespace rw::control {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr two_clocks start{mono_time{5000s}, wall_time{1'800'000'000s}};

two_clocks after(nanoseconds time) { return {start.mono + time, start.wall + time}; }

config::ip16 address(std::string_view text) {
  config::ip16 ip{};
  EXPECT_TRUE(net::parse_ip(text, ip)) << text;
  return ip;
}

class BanBoard : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/bans-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    config::ban rules;
    rules.exempt = {"10.0.0.0/8"};
    state_.ban = gateway::make_ban_plan(rules);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ban_board::outcome tell(ban_board& board, std::string_view command, two_clocks now = start) {
    return board.change(command, state_, now, audit_, "uid:0");
  }
  std::string file() const {
    std::ifstream from(folder_ + "/bans");
    std::stringstream text;
    text << from.rdbuf();
    return text.str();
  }

  std::string folder_;
  gateway::snapshot state_;
  audit_events audit_;
  observe::log log_{observe::level::error};
};

TEST_F(BanBoard, TheListInJson) {
  ban_board board;
  ASSERT_TRUE(board.open(folder_, start));
  EXPECT_EQ(board.json(state_, start), R"({"act":true,"bans":[]})");
  ASSERT_TRUE(tell(board, "ban\t60\t192.0.2.1").done);
  const std::string one =
      R"([{"address":"192.0.2.1","since":"2027-01-15T08:00:00Z","until":"2027-01-15T08:01:00Z",)"
      R"("time":1,"reason":"by_hand"}])";
  EXPECT_EQ(board.json(state_, after(1s)), R"({"act":true,"bans":)" + one + "}");
  EXPECT_EQ(board.json(state_, after(61s)), R"({"act":true,"bans":[]})");
  state_.ban.reset();
  EXPECT_EQ(board.json(state_, after(1s)), R"({"act":false,"bans":)" + one + "}");
}

TEST_F(BanBoard, WhatIsBannedIsListedUntilItEnds) {
  ban_board board;
  ASSERT_TRUE(board.open(folder_, start));
  EXPECT_EQ(board.text(state_, start), "nobody is banned\n");
  const auto done = tell(board, "ban\t3600\t192.0.2.1");
  EXPECT_TRUE(done.done);
  EXPECT_EQ(done.text, "192.0.2.1 is banned until 2027-01-15T09:00:00Z\n");
  EXPECT_TRUE(board.table()->holds(address("192.0.2.1"), start.mono));
  EXPECT_TRUE(tell(board, "ban\t0\t2001:db8:1:2:3::4").done);  // as long as the table says
  const std::string list = board.text(state_, after(1s));
  EXPECT_THAT(list, HasSubstr("192.0.2.1  "));
  EXPECT_THAT(list, HasSubstr("2001:db8:1:2::/64 "));
  EXPECT_THAT(list, HasSubstr("2027-01-15T08:10:00Z"));
  EXPECT_THAT(list, HasSubstr("by_hand"));
  board.look(after(1s), log_, audit_);
  EXPECT_EQ(board.in_force(), 2U);
  board.look(after(601s), log_, audit_);
  EXPECT_EQ(board.in_force(), 1U);
  EXPECT_THAT(board.text(state_, after(601s)), Not(HasSubstr("2001")));
}

TEST_F(BanBoard, SinceStaysWhatItWas) {
  ban_board board;
  ASSERT_TRUE(board.open(folder_, start));
  tell(board, "ban\t3600\t192.0.2.1");
  tell(board, "ban\t3600\t192.0.2.2", after(60s));
  board.look(after(61s), log_, audit_);
  const std::string list = board.text(state_, after(61s));
  EXPECT_THAT(list, HasSubstr("2027-01-15T08:00:00Z"));
  EXPECT_THAT(list, HasSubstr("2027-01-15T08:01:00Z"));
}

TEST_F(BanBoard, UnbanningEndsIt) {
  ban_board board;
  ASSERT_TRUE(board.open(folder_, start));
  tell(board, "ban\t3600\t192.0.2.1");
  const auto done = tell(board, "unban\t192.0.2.1");
  EXPECT_TRUE(done.done);
  EXPECT_EQ(done.text, "192.0.2.1 is no longer banned\n");
  EXPECT_FALSE(board.table()->holds(address("192.0.2.1"), start.mono));
  EXPECT_EQ(tell(board, "unban\t192.0.2.1").text, "192.0.2.1 is not banned\n");
  EXPECT_FALSE(tell(board, "unban\t192.0.2.1").done);
}

TEST_F(BanBoard, RefusesWhomNoBanMayHit) {
  ban_board board;
  ASSERT_TRUE(board.open(folder_, start));
  config::listener listener;
  listener.name = "main";
  gateway::listener_plan plan;
  plan.settings = &listener;
  const std::vector<std::string> proxies{"198.51.100.0/24"};
  plan.trusted = *config::cidr_set::parse(proxies);
  state_.listeners.push_back(plan);
  EXPECT_EQ(tell(board, "ban\t60\t10.1.2.3").text, "10.1.2.3 is in ban.exempt\n");
  EXPECT_EQ(tell(board, "ban\t60\t::ffff:10.1.2.3").text, "10.1.2.3 is in ban.exempt\n");
  EXPECT_EQ(tell(board, "ban\t60\t198.51.100.7").text,
            "198.51.100.7 is a proxy, in client_address_from of listener main\n");
  for (const char* wrong : {"ban\t60\tsomebody", "ban\t60\t192.0.2.0/24", "ban\t60\t2001:db8::/32",
                            "ban\t60\t192.0.2.1:80", "ban\t60\t", "ban\tsoon\t192.0.2.1", "ban",
                            "ban\t99999999999\t192.0.2.1", "unban\tsomebody"}) {
    EXPECT_FALSE(tell(board, wrong).done) << wrong;
  }
  EXPECT_EQ(board.in_force(), 0U);
  state_.ban.reset();
  EXPECT_THAT(tell(board, "ban\t60\t192.0.2.1").text, HasSubstr("without a [ban] table"));
}

TEST_F(BanBoard, ARestartKnowsThemAndTheirRepeats) {
  ban_board before;
  ASSERT_TRUE(before.open(folder_, start));
  tell(before, "ban\t3600\t192.0.2.1");
  tell(before, "ban\t3600\t2001:db8:1:2::/64");
  ASSERT_TRUE(before.table()->set({.client = address("192.0.2.9"),
                                   .until = start.mono - 1h,
                                   .repeat = 3,
                                   .cause = limit::ban_cause::unauthorized},
                                  start.mono));
  before.keep(start, log_);

  // Ten minutes later, on a machine that has just started.
  const two_clocks again{mono_time{20s}, start.wall + 600s};
  ban_board board;
  ASSERT_TRUE(board.open(folder_, again));
  EXPECT_EQ(board.in_force(), 2U);
  EXPECT_TRUE(board.table()->holds(address("192.0.2.1"), again.mono + 2999s));
  EXPECT_FALSE(board.table()->holds(address("192.0.2.1"), again.mono + 3001s));
  EXPECT_TRUE(board.table()->holds(address("2001:db8:1:2::99"), again.mono));
  EXPECT_FALSE(board.table()->holds(address("192.0.2.9"), again.mono));
  EXPECT_THAT(board.text(state_, again), HasSubstr("2027-01-15T08:00:00Z"));
  limit::ban made;
  const limit::ban_rule rule{.failures = 1, .within = 60s, .lasts = 600s};
  board.table()->fail(address("192.0.2.9"), 1, limit::ban_cause::malformed, rule, again.mono, made);
  EXPECT_EQ(made.repeat, 4U);
}

TEST_F(BanBoard, EveryPrefixOfTheFileIsRefusedAndPutBy) {
  ban_board before;
  ASSERT_TRUE(before.open(folder_, start));
  tell(before, "ban\t3600\t192.0.2.1");
  tell(before, "ban\t3600\t192.0.2.2");
  before.keep(start, log_);
  const std::string whole = file();
  EXPECT_EQ(whole,
            "ringward bans 1\n1800003600\t1800000000\t1\tby_hand\t192.0.2.1\n"
            "1800003600\t1800000000\t1\tby_hand\t192.0.2.2\nend 2\n");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(folder_ + "/bans") << whole.substr(0, size);
    ban_board board;
    const result<> opened = board.open(folder_, start);
    ASSERT_FALSE(opened) << size;
    EXPECT_THAT(board.explain(opened.error()), HasSubstr(folder_ + "/bans: "));
    EXPECT_EQ(board.in_force(), 0U);
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/bans.broken"));
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/bans"));
  }
  for (const char* line :
       {"x\t1\t1\tby_hand\t192.0.2.1\n", "1\t1\t0\tby_hand\t192.0.2.1\n",
        "1\t1\t1\tby_hand\tsomebody\n", "99999999999\t1\t1\tby_hand\t1.2.3.4\n"}) {
    std::ofstream(folder_ + "/bans") << "ringward bans 1\n" << line << "end 1\n";
    EXPECT_FALSE(ban_board().open(folder_, start)) << line;
  }
}

TEST_F(BanBoard, ADiskThatFailsIsTriedAgain) {
  ban_board board;
  const std::string folder = folder_ + "/not/there";
  ASSERT_TRUE(board.open(folder, start));
  tell(board, "ban\t3600\t192.0.2.1");
  board.look(after(1s), log_, audit_);
  EXPECT_FALSE(std::filesystem::exists(folder + "/bans"));
  std::filesystem::create_directories(folder);
  board.look(after(1500ms), log_, audit_);  // no sooner than a second later
  EXPECT_FALSE(std::filesystem::exists(folder + "/bans"));
  board.look(after(2s), log_, audit_);
  EXPECT_TRUE(std::filesystem::exists(folder + "/bans"));
}

}  // namespace
}  // namespace rw::control
