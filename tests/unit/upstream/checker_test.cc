#include "upstream/checker.h"

#include <cstring>
#include <optional>
#include <string>

#include "../net/stream_world.h"

namespace rw::upstream {
namespace {

using std::chrono::milliseconds;

// A listener that says one thing to whoever connects.
class Checker : public net::test::StreamTest {
 protected:
  Checker() : StreamTest(1U << 20U) {
    rules_.name = "origin";
    rules_.health.path = "/health";
    rules_.health.interval = milliseconds{40};
    rules_.health.rise = 2;
    rules_.health.fall = 3;
    servers_.resize(1);
    servers_[0].host = "origin.example:5001";
    std::memcpy(&servers_[0].address, at_.raw(), sizeof at_.address);
    servers_[0].address_bytes = sizeof at_.address;
    cluster_ = {std::make_shared<group>(), {std::make_shared<server_health>(1)}, rules_.health};
    ::fcntl(at_.fd, F_SETFL, O_NONBLOCK);
    checker_.emplace(*loop_);
  }
  void TearDown() override {
    io::spawn(checker_->stop(), all_);
    EXPECT_TRUE(until([&] { return all_.inside() == 0; }));
    checker_.reset();
    at_.fd.reset();
    StreamTest::TearDown();
  }

  void begin() { checker_->adopt({{nullptr, &cluster_, 0, servers_.data(), &rules_}}); }
  // Takes one check and answers; what was asked.
  std::string answer(std::string_view text) {
    io::test::descriptor peer(-1);
    EXPECT_TRUE(until([&] {
      peer =
          io::test::descriptor(::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return peer >= 0;
    }));
    std::string asked;
    EXPECT_TRUE(until([&] {
      char bytes[1024];
      const ssize_t got = ::recv(peer, bytes, sizeof bytes, 0);
      if (got > 0) asked.append(bytes, static_cast<std::size_t>(got));
      return asked.contains("\r\n\r\n") || got == 0;
    }));
    if (!text.empty()) io::test::put(peer, text);
    return asked;
  }
  server_health& health() { return cluster_.at(0); }

  io::test::listener at_;
  config::upstream rules_;
  std::vector<server> servers_;
  cluster cluster_;
  std::optional<checker> checker_;
};

constexpr std::string_view good = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr std::string_view bad = "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n";

TEST_F(Checker, ARequestIsSentAsConfigured) {
  begin();
  EXPECT_EQ(answer(good),
            "GET /health HTTP/1.1\r\nHost: origin.example:5001\r\nUser-Agent: ringward-check\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n");
  rules_.host = config::host_rule::literal;
  rules_.host_literal = "api.example";
  EXPECT_TRUE(answer(good).contains("\r\nHost: api.example\r\n"));
}

TEST_F(Checker, FallBadOnesTakeItOutAndRiseGoodOnesBringItBack) {
  begin();
  for (int i = 0; i < 2; ++i) answer(bad);
  answer(good);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(health().down());
    answer(bad);
  }
  ASSERT_TRUE(until([&] { return health().down(); }));
  EXPECT_STREQ(health().why(), "check_status");
  EXPECT_EQ(health().why_status(), 500U);
  answer(good);
  answer(bad);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(health().down());
    answer(good);
  }
  ASSERT_TRUE(until([&] { return !health().down(); }));
  EXPECT_STREQ(health().why(), "check_passed");
}

TEST_F(Checker, InterimAnswersAreNoAnswers) {
  rules_.health.fall = 1;
  rules_.health.rise = 1;
  begin();
  answer(bad);
  ASSERT_TRUE(until([&] { return health().down(); }));
  answer("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  EXPECT_TRUE(until([&] { return !health().down(); }));
}

TEST_F(Checker, EachFailureHasItsName) {
  rules_.health.fall = 1;
  rules_.health.rise = 100;
  struct outcome {
    std::string_view said;
    const char* why;
  };
  for (const outcome& one :
       {outcome{"", "check_closed"}, outcome{"nonsense\r\n\r\n", "check_malformed"},
        outcome{"HTTP/1.1 404 No\r\n\r\n", "check_status"}}) {
    begin();
    answer(one.said);
    ASSERT_TRUE(until([&] { return health().down(); }));
    EXPECT_STREQ(health().why(), one.why);
    cluster_.set_down(0, false, "", 0, loop_->now());
    checker_->adopt({});
  }
}

TEST_F(Checker, WhoDoesNotAnswerInTimeIsDown) {
  rules_.health.fall = 1;
  begin();
  ASSERT_TRUE(until([&] { return health().down(); }));  // the kernel accepts, nobody answers
  EXPECT_STREQ(health().why(), "check_no_answer");
}

TEST_F(Checker, ByTcpAConnectionIsEnough) {
  rules_.health.path.clear();
  rules_.health.tcp = true;
  rules_.health.fall = 1;
  rules_.health.rise = 1;
  begin();
  idle(milliseconds{150});
  EXPECT_FALSE(health().down());
  const auto address = at_.address;
  at_.fd.reset();
  ASSERT_TRUE(until([&] { return health().down(); }));
  EXPECT_STREQ(health().why(), "check_refused");
  static_cast<void>(address);
}

TEST_F(Checker, WhoIsNoLongerCheckedIsLeftAlone) {
  begin();
  answer(good);
  checker_->adopt({});
  idle(milliseconds{100});
  EXPECT_LT(::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), 0);
}

// A reload begins no row anew.
TEST_F(Checker, AReloadKeepsWhatWasFound) {
  begin();
  answer(bad);
  answer(bad);
  idle(milliseconds{5});
  begin();
  answer(bad);
  EXPECT_TRUE(until([&] { return health().down(); }));
}

// Each at its own time within the interval, so that no moment has all of the checks.
TEST_F(Checker, ChecksAreSpread) {
  rules_.health.path.clear();
  rules_.health.tcp = true;
  rules_.health.interval = milliseconds{400};
  servers_.resize(4, servers_[0]);
  std::vector<std::shared_ptr<server_health>> list;
  for (int i = 0; i < 4; ++i) list.push_back(std::make_shared<server_health>(1));
  cluster_ = {std::make_shared<group>(), list, rules_.health};
  std::vector<check_target> targets;
  for (std::size_t i = 0; i < 4; ++i) {
    targets.push_back({nullptr, &cluster_, i, &servers_[i], &rules_});
  }
  checker_->adopt(targets);
  std::vector<mono_time> when;
  ASSERT_TRUE(until([&] {
    const io::test::descriptor peer(
        ::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (peer >= 0) when.push_back(loop_->now());
    return when.size() == 4;
  }));
  for (std::size_t i = 1; i < 4; ++i) EXPECT_GE(when[i] - when[i - 1], milliseconds{50});
}

}  // namespace
}  // namespace rw::upstream
