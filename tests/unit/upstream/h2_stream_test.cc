#include "upstream/h2_stream.h"

#include "h2_world.h"

namespace rw::upstream::test {
namespace {

class H2UpstreamStream : public H2Upstream {
 protected:
  // What became of a request for which the origin said this.
  const error& failure_after(const std::string& frames) {
    request& one = ask("body");
    last_ = &one;
    origin_end& at = ends_.back();
    EXPECT_TRUE(has_come(at, headers, 1));
    read(one);
    at.say(frames);
    EXPECT_TRUE(until([&] { return one.read.done(); }));
    EXPECT_FALSE(*one.read.value);
    return one.read.value->error();
  }
  request* last_ = nullptr;
};

TEST_F(H2UpstreamStream, OneThatWasRefusedMayBeSentAgain) {
  EXPECT_TRUE(failure_after(frame(reset, 0, 1, number(7))).may_retry);
  EXPECT_FALSE(ends_.front().is_closed());
}

TEST_F(H2UpstreamStream, OneThatWasResetOtherwiseMayNot) {
  EXPECT_FALSE(failure_after(frame(reset, 0, 1, number(2))).may_retry);
}

TEST_F(H2UpstreamStream, NorOneThatIsRefusedWhenItsAnswerHasBegun) {
  const error& why =
      failure_after(frame(headers, end_headers, 1, ok) + frame(reset, 0, 1, number(7)));
  EXPECT_FALSE(why.may_retry);
}

TEST_F(H2UpstreamStream, NorWhenAnInterimOneHasCome) {
  const std::string hints("\0\7:status\003103", 13);
  const error& why = failure_after(frame(headers, end_headers, 1, hints) +
                                   frame(goaway, 0, 0, number(0) + number(0)));
  EXPECT_FALSE(why.may_retry);
}

TEST_F(H2UpstreamStream, AnAnswerThatIsWholeCountsThoughItsStreamIsRefusedAfterwards) {
  request& one = ask(std::string(1 << 20, 'x'));  // more than the origin's window lets go
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 1));
  read(one);
  at.say(frame(headers, end_headers | end_stream, 1, ok) + frame(reset, 0, 1, number(7)));
  ASSERT_TRUE(until([&] { return one.read.done() && one.sent.done(); }));
  EXPECT_TRUE(*one.read.value);
  EXPECT_EQ(one.answer, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_FALSE(*one.sent.value);
}

TEST_F(H2UpstreamStream, InterimHeadsTogetherAreNoMoreThanOneHeadMayBe) {
  std::string hints("\0\7:status\003103", 13);
  for (int i = 0; i < 60; ++i) hints.append("\0\1x\x7f\1", 5).append(128, '~');  // some 8 KiB
  const std::string one = frame(headers, end_headers, 1, hints);
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += one;
  EXPECT_EQ(failure_after(nine).code, fault::malformed);
  EXPECT_STREQ(last_->by->carried()->flaw(), "too_many_heads");
  EXPECT_TRUE(has_come(ends_.front(), reset, 1, 1));
}

TEST_F(H2UpstreamStream, OneThatIsLetGoIsResetAlone) {
  request& one = ask();
  request& two = ask();
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 2));
  let_go(one);
  ASSERT_TRUE(has_come(at, reset, 1));
  EXPECT_EQ(at.heard(reset, 1), std::vector<std::string>{number(8)});
  read(two);
  // What was on its way to the first is nobody's.
  at.say(frame(headers, end_headers, 1, ok) + frame(data, end_stream, 1, "late") +
         frame(headers, end_headers, 3, ok) + frame(data, end_stream, 3, "two"));
  ASSERT_TRUE(until([&] { return two.read.done(); }));
  EXPECT_TRUE(two.answer.ends_with("\r\n\r\ntwo"));
}

TEST_F(H2UpstreamStream, OneThatIsLetGoWhileItsConnectionOpensLeavesNothing) {
  request& one = join();
  origin_end& at = accept();
  request& two = join();
  EXPECT_EQ(two.by->requests, 2U);
  two.by->stream.abort(fault::canceled);
  ASSERT_TRUE(until([&] { return two.opened.done(); }));
  let_go(two);
  at.say(frame(settings, 0, 0));
  ASSERT_TRUE(until([&] { return one.opened.done(); }));
  ASSERT_TRUE(*one.opened.value);
  send(one);
  ASSERT_TRUE(has_come(at, headers, 1, 1));
  EXPECT_EQ(at.heard(reset).size(), 0U);
}

TEST_F(H2UpstreamStream, ABodyGoesAsFarAsTheWindowsLet) {
  request& one = ask(std::string(100'000, 'x'));
  origin_end& at = ends_.front();
  ASSERT_TRUE(until([&] { return at.octets(data, 1) == 65535; }));
  EXPECT_TRUE(one.link().holds_up(1));
  at.say(frame(update, 0, 1, number(100'000)));  // of the stream; the connection's is shut still
  idle();
  EXPECT_EQ(at.octets(data, 1), 65535U);
  at.say(frame(update, 0, 0, number(100'000)));
  ASSERT_TRUE(until([&] { return one.sent.done() && at.octets(data, 1) == 100'000; }));
  EXPECT_TRUE(*one.sent.value);
}

// One whose origin reads nothing takes all of the connection's window, and keeps it.
TEST_F(H2UpstreamStream, ABodyDoesNotWaitBehindAnothersThatIsNotRead) {
  ask(std::string(100'000, 'x'));
  origin_end& at = ends_.front();
  ASSERT_TRUE(until([&] { return at.octets(data, 1) == 65535; }));
  EXPECT_EQ(ask().by->requests, 2U);  // there is nothing that would have to wait
  request& other = ask("body");
  EXPECT_EQ(other.by->requests, 1U);
  ASSERT_TRUE(until([&] { return ends_.back().octets(data, 1) == 4; }));
  at.say(frame(update, 0, 0, number(100'000)));
  ASSERT_TRUE(until([&] { return requests_.front().link().session().has_window(); }));
  EXPECT_EQ(ask("body").by->requests, 3U);
}

TEST_F(H2UpstreamStream, AWindowThatTheOriginShutsUnderWayIsShut) {
  request& one = ask();
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 1));
  at.say(setting(initial_window_size, 0));
  ASSERT_TRUE(has_come(at, settings, 3));
  request& two = ask("body");
  ASSERT_TRUE(has_come(at, headers, 2));
  idle();
  EXPECT_EQ(at.octets(data, 3), 0U);
  EXPECT_FALSE(two.sent.done());
  at.say(setting(initial_window_size, 10));
  ASSERT_TRUE(until([&] { return at.octets(data, 3) == 4; }));
  read(one);
  at.say(frame(headers, end_headers | end_stream, 1, ok));
  EXPECT_TRUE(until([&] { return one.read.done(); }));
}

TEST_F(H2UpstreamStream, WhatNobodyReadsIsNotGivenBackToItsWindow) {
  request& slow = ask();
  request& quick = ask();
  origin_end& at = ends_.front();
  ASSERT_TRUE(has_come(at, headers, 2));
  const std::size_t before = at.heard(update).size();
  const auto body = [](std::uint32_t id) {
    std::string frames = frame(headers, end_headers, id, ok);
    for (int i = 0; i < 3; ++i) frames += frame(data, 0, id, std::string(16384, 'x'));
    return frames;
  };
  at.say(body(1) + body(3));
  read(quick);
  ASSERT_TRUE(until([&] { return quick.answer.size() > 49152; }));
  ASSERT_TRUE(has_come(at, update, 1, 3));
  EXPECT_EQ(at.heard(update, 1).size(), 0U);
  EXPECT_EQ(at.heard(update, 0).size(), before);  // 16 MiB, of which little is gone
  read(slow);
  EXPECT_TRUE(has_come(at, update, 1, 1));
}

}  // namespace
}  // namespace rw::upstream::test
