// The client against a server that says what the test wants: when it asks, what it makes of each
// answer, and that nobody waits for what does not come.
#include "redis/client.h"

#include <fcntl.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "../net/stream_world.h"
#include "base/random.h"

namespace rw::redis {
namespace {

using observe::counter;
using std::chrono::milliseconds;
using std::chrono::seconds;
using state = client::state;

constexpr std::string_view sha = "0123456789abcdef0123456789abcdef01234567";
constexpr std::string_view greeting =
    "$40\r\n0123456789abcdef0123456789abcdef01234567\r\n*2\r\n:1\r\n:1000\r\n";
constexpr std::string_view granted = "*2\r\n:1\r\n:500\r\n";

// Notes what it is told.
struct note final : asker {
  explicit note(const command& words) noexcept : asker(words) {}
  void told(const reply* what) noexcept override {
    ++times;
    if (what != nullptr) answer = *what;
  }
  int times = 0;
  std::optional<reply> answer;
};

class Client : public net::test::StreamTest {
 protected:
  Client() : StreamTest(1U << 20U) {
    random_init();
    script made{.text = "return 1", .probe = {}};
    made.probe.add(1U).add("probe");
    words_.add(1U).add("key").add("argument");
    ::fcntl(at_.fd, F_SETFL, O_NONBLOCK);
    client_.emplace(*loop_, 0, std::move(made), counted_);
  }
  void TearDown() override {
    io::spawn(client_->stop(), all_);
    EXPECT_TRUE(until([&] { return all_.inside() == 0; }));
    EXPECT_EQ(standing(), state::none);
    client_.reset();
    peer_.reset();
    at_.fd.reset();
    StreamTest::TearDown();
  }

  void begin(nanoseconds timeout = seconds{30}, const char* password = nullptr) {
    auto to = std::make_shared<target>();
    config::address at;
    std::memcpy(&at.socket, at_.raw(), sizeof at_.address);
    at.length = sizeof at_.address;
    to->addresses = {at};
    to->timeout = timeout;
    if (password != nullptr) to->password = std::make_shared<const secret>(password);
    client_->adopt(std::move(to));
  }
  void accept() {
    ASSERT_TRUE(until([&] {
      peer_ =
          io::test::descriptor(::accept4(at_.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return peer_ >= 0;
    }));
  }
  // Until what has come ends so.
  std::string asked(std::string_view end) {
    std::string got;
    EXPECT_TRUE(until([&] {
      char bytes[4096];
      const ssize_t size = ::recv(peer_, bytes, sizeof bytes, 0);
      if (size > 0) got.append(bytes, static_cast<std::size_t>(size));
      return got.ends_with(end);
    })) << got;
    return got;
  }
  void say(std::string_view text) { io::test::put(peer_, text); }
  // A connection whose breaker is closed.
  void ready() {
    begin();
    greet();
  }
  void greet() {
    accept();
    asked("$5\r\nprobe\r\n");
    say(greeting);
    ASSERT_TRUE(until([&] { return client_->ready(); }));
  }
  bool told(const note& one) {
    return until([&] { return one.times > 0; });
  }
  bool is(state wanted) {
    return until([&] { return standing() == wanted; });
  }
  state standing() const { return static_cast<state>(counted_.get(counter::redis_state)); }

  io::test::listener at_;
  io::test::descriptor peer_{-1};
  observe::counters counted_;
  command words_;
  std::optional<client> client_;
};

TEST_F(Client, AsksOnceItHasShownThatItCan) {
  note one(words_);
  EXPECT_FALSE(client_->ask(one));
  begin(seconds{5}, "secret");
  accept();
  const std::string said = asked("$5\r\nprobe\r\n");
  EXPECT_EQ(said,
            "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$8\r\nreturn 1"
            "\r\n*4\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$5\r\nprobe\r\n");
  EXPECT_EQ(standing(), state::half_open);
  EXPECT_FALSE(client_->ask(one));
  say("+OK\r\n");
  say(greeting);
  ASSERT_TRUE(is(state::closed));
  EXPECT_TRUE(client_->ask(one));
  EXPECT_EQ(asked("$8\r\nargument\r\n"), "*5\r\n$7\r\nEVALSHA\r\n$40\r\n" + std::string(sha) +
                                             "\r\n$1\r\n1\r\n$3\r\nkey\r\n$8\r\nargument\r\n");
  EXPECT_EQ(one.times, 0);
  say(granted);
  ASSERT_TRUE(told(one));
  ASSERT_TRUE(one.answer);
  EXPECT_EQ(one.answer->numbers[1], 500);
}

TEST_F(Client, WhatIsAskedInOneTurnLeavesInOneSend) {
  ready();
  std::vector<note> all(100, note(words_));
  const std::uint64_t before = counted_.get(counter::redis_sends);
  for (note& one : all) EXPECT_TRUE(client_->ask(one));
  EXPECT_TRUE(client_->tell(words_));
  for (std::size_t i = 0; i < all.size() + 1; ++i) say(granted);
  ASSERT_TRUE(told(all.back()));
  for (const note& one : all) EXPECT_EQ(one.times, 1);
  EXPECT_EQ(counted_.get(counter::redis_sends), before + 1);
  EXPECT_EQ(counted_.get(counter::redis_questions), 101U);
}

TEST_F(Client, AScriptThatIsGoneIsSentAgain) {
  ready();
  note one(words_);
  ASSERT_TRUE(client_->ask(one));
  asked("argument\r\n");
  say("-NOSCRIPT No matching script. Please use EVAL.\r\n");
  EXPECT_EQ(asked("argument\r\n"),
            "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$3\r\nkey\r\n$8\r\nargument\r\n");
  EXPECT_EQ(one.times, 0);
  say(granted);
  ASSERT_TRUE(told(one));
  EXPECT_TRUE(one.answer);
  EXPECT_EQ(counted_.get(counter::redis_errors), 0U);
}

TEST_F(Client, AnAnswerThatIsLateIsNobodyElses) {
  ready();
  begin(milliseconds{20});
  note late(words_);
  note next(words_);
  ASSERT_TRUE(client_->ask(late));
  ASSERT_TRUE(told(late));
  begin();
  EXPECT_FALSE(late.answer);
  EXPECT_EQ(counted_.get(counter::redis_timeouts), 1U);
  ASSERT_TRUE(client_->ready()) << "one alone breaks nothing";
  ASSERT_TRUE(client_->ask(next));
  say("*2\r\n:1\r\n:111\r\n*2\r\n:1\r\n:222\r\n");
  ASSERT_TRUE(told(next));
  ASSERT_TRUE(next.answer);
  EXPECT_EQ(next.answer->numbers[1], 222);
  EXPECT_EQ(late.times, 1);
}

TEST_F(Client, ThreeThatAreNotAnsweredBreakTheConnection) {
  ready();
  begin(milliseconds{20});
  note first(words_);
  std::vector<note> more(2, note(words_));
  ASSERT_TRUE(client_->ask(first));
  for (note& one : more) ASSERT_TRUE(client_->ask(one));
  ASSERT_TRUE(is(state::open));
  EXPECT_EQ(first.times + more[0].times + more[1].times, 3);
  EXPECT_FALSE(client_->ask(first));
  begin();
  greet();  // it comes again by itself
}

TEST_F(Client, AConnectionThatEndsLosesWhatWaits) {
  ready();
  note one(words_);
  ASSERT_TRUE(client_->ask(one));
  asked("argument\r\n");
  peer_.reset();
  ASSERT_TRUE(told(one));
  EXPECT_FALSE(one.answer);
  EXPECT_EQ(counted_.get(counter::redis_disconnects), 1U);
  greet();
}

TEST_F(Client, GarbageEndsTheConnection) {
  begin();
  for (const char* bad : {"HTTP/1.1 400 Bad Request\r\n\r\n", "+OK\r\n", "*1\r\n*1\r\n:1\r\n",
                          "*99\r\n", ":1\r\n:2\r\n"}) {
    greet();
    note one(words_);
    ASSERT_TRUE(client_->ask(one));
    const std::uint64_t before = counted_.get(counter::redis_garbage);
    say(bad);
    ASSERT_TRUE(told(one)) << bad;
    EXPECT_FALSE(one.answer);
    EXPECT_EQ(one.times, 1);
    EXPECT_EQ(counted_.get(counter::redis_garbage), before + 1) << bad;
  }
}

TEST_F(Client, AnswersThatNobodyAskedForAreGarbage) {
  ready();
  say(granted);
  ASSERT_TRUE(until([&] { return counted_.get(counter::redis_garbage) == 1; }));
  EXPECT_FALSE(client_->ready());
}

TEST_F(Client, AnErrorIsALossAndThreeAreTheEnd) {
  ready();
  for (int i = 0; i < 3; ++i) {
    note one(words_);
    ASSERT_TRUE(client_->ask(one));
    say("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    ASSERT_TRUE(told(one));
    EXPECT_FALSE(one.answer);
  }
  EXPECT_TRUE(is(state::open));
  EXPECT_EQ(counted_.get(counter::redis_errors), 3U);
}

TEST_F(Client, AServerThatCannotWriteIsNotAsked) {
  begin();
  accept();
  asked("$5\r\nprobe\r\n");
  say("$40\r\n" + std::string(sha) +
      "\r\n-READONLY You can't write against a read only replica\r\n");
  ASSERT_TRUE(is(state::open));
  EXPECT_EQ(counted_.get(counter::redis_errors), 1U);
}

TEST_F(Client, WhatWaitsIsBounded) {
  ready();
  command large;
  large.add(1U).add(std::string(1U << 19U, 'x')).add("");
  EXPECT_TRUE(client_->tell(large));
  EXPECT_TRUE(client_->tell(large));
  EXPECT_FALSE(client_->tell(large));
  EXPECT_EQ(counted_.get(counter::redis_overflows), 1U);
}

TEST_F(Client, TheSameTargetKeepsTheConnectionAndAnotherDoesNot) {
  ready();
  begin(seconds{4});
  EXPECT_TRUE(client_->ready());
  begin(seconds{4}, "another");
  EXPECT_TRUE(until([&] { return !client_->ready(); }));
  accept();
  asked("$5\r\nprobe\r\n");
  say("+OK\r\n");
  say(greeting);
  EXPECT_TRUE(is(state::closed));
}

}  // namespace
}  // namespace rw::redis
