#include "net/stream.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "stream_world.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::pair;
using io::test::tcp_pair;

// What a stream receives, keeps and lets go of.
class StreamReceiving : public StreamTest {};

TEST_F(StreamReceiving, ReceivesAndKeepsWhatIsNotConsumed) {
  pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  start(receive(s, mono_time::max()), first);
  put(both.theirs, "GET / HTTP/1.1\r\n");
  ASSERT_TRUE(until([&] { return first.done(); }));
  EXPECT_EQ(s.input(), "GET / HTTP/1.1\r\n");
  s.consume(4);
  EXPECT_EQ(s.input(), "/ HTTP/1.1\r\n");

  outcome<result<>> second;
  start(receive(s, mono_time::max()), second);
  put(both.theirs, "Host: a\r\n");
  ASSERT_TRUE(until([&] { return second.done(); }));
  EXPECT_EQ(s.input(), "/ HTTP/1.1\r\nHost: a\r\n");
  EXPECT_EQ(s.bytes_received(), 25U);
  EXPECT_FALSE(s.quiet());
  s.consume(s.input().size());
  EXPECT_TRUE(s.quiet());
  EXPECT_EQ(loop_->buffers().in_use(), 0U) << "an idle connection holds no buffer";

  outcome<result<>> third;
  start(receive(s, mono_time::max()), third);
  both.theirs.reset();
  ASSERT_TRUE(until([&] { return third.done(); }));
  EXPECT_EQ(third.value->error().code, fault::closed);
  EXPECT_TRUE(s.ended());
  EXPECT_FALSE(s.quiet());
}

TEST_F(StreamReceiving, TheEndComesAfterWhatWasSentBeforeIt) {
  pair both;
  stream& s = make(both.ours.release());
  put(both.theirs, "last words");
  both.theirs.reset();
  std::string got;
  outcome<result<>> all;
  start(drain(s, got), all);
  ASSERT_TRUE(until([&] { return all.done(); }));
  EXPECT_EQ(got, "last words");
  EXPECT_EQ(all.value->error().code, fault::closed);
}

TEST_F(StreamReceiving, HoldsBytesWithoutMovingThem) {
  pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  start(receive(s, mono_time::max()), first);
  put(both.theirs, "HEADnext");
  ASSERT_TRUE(until([&] { return first.done(); }));
  const std::string_view head = s.input().substr(0, 4);
  {
    const stream::held held = s.hold(4);
    EXPECT_EQ(s.input(), "next");
    EXPECT_NE(s.input().data(), head.data() + 4);
    outcome<result<>> second;
    start(receive(s, mono_time::max()), second);
    put(both.theirs, pattern(40'000));
    ASSERT_TRUE(until([&] { return second.done(); }));
    EXPECT_EQ(head, "HEAD");
  }
  EXPECT_EQ(s.input().substr(0, 4), "next");
  const stream::held rest = s.hold(s.input().size());
  EXPECT_TRUE(s.input().empty());
}

// A head may be larger than any buffer: it is gathered in one piece all the same.
TEST_F(StreamReceiving, GathersWhatIsLargerThanABuffer) {
  pair both;
  stream& s = make(both.ours.release());
  const std::string sent = pattern(100'000);
  std::size_t done = 0;
  while (s.input().size() < sent.size()) {
    done += put(both.theirs, std::string_view(sent).substr(done, 9'000));
    outcome<result<>> more;
    start(receive(s, mono_time::max()), more);
    ASSERT_TRUE(until([&] { return more.done(); }));
    ASSERT_TRUE(*more.value);
    ASSERT_TRUE(sent.starts_with(s.input()));
  }
  const std::string_view head = s.input().substr(0, 99'990);
  const stream::held held = s.hold(99'990);
  EXPECT_EQ(head, std::string_view(sent).substr(0, 99'990));
  EXPECT_EQ(s.input(), std::string_view(sent).substr(99'990));
}

TEST_F(StreamReceiving, DoesNotGatherWithoutBound) {
  pair both;
  stream& s = make(both.ours.release());
  result<> last;
  std::size_t most = 0;
  for (int i = 0; i < 200 && last; ++i) {
    put(both.theirs, pattern(9'000));
    outcome<result<>> more;
    start(receive(s, mono_time::max()), more);
    ASSERT_TRUE(until([&] { return more.done(); }));
    last = *more.value;
    most = s.input().size();
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, fault::too_large);
  EXPECT_GE(most, 256U << 10U);
  EXPECT_LE(most, 300U << 10U);
}

TEST_F(StreamReceiving, AReceiveEndsAtItsDeadlineAndTheStreamGoesOn) {
  pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  const mono_time before = loop_->kernel().now();
  start(receive(s, before + milliseconds{20}), first);
  ASSERT_TRUE(until([&] { return first.done(); }));
  EXPECT_EQ(first.value->error().code, fault::timed_out);
  EXPECT_GE(loop_->now() - before, milliseconds{20});
  put(both.theirs, "late");
  outcome<result<>> second;
  start(receive(s, in(seconds{5})), second);
  ASSERT_TRUE(until([&] { return second.done(); }));
  EXPECT_EQ(s.input(), "late");
}

TEST_F(StreamReceiving, ADeadlineCanBeMovedBothWays) {
  pair both;
  stream& s = make(both.ours.release());
  s.receive_by(in(milliseconds{1}));  // nobody waits: nothing to move
  outcome<result<>> one;
  start(receive(s, mono_time::max()), one);
  idle();
  s.receive_by(in(seconds{100}));
  idle();
  EXPECT_FALSE(one.done());
  s.receive_by(in(milliseconds{5}));
  ASSERT_TRUE(until([&] { return one.done(); }));
  EXPECT_EQ(one.value->error().code, fault::timed_out);
}

TEST_F(StreamReceiving, AnInterruptedReceiveLosesNothing) {
  pair both;
  stream& s = make(both.ours.release());
  s.interrupt_receive();  // nobody waits
  outcome<result<>> one;
  start(receive(s, in(seconds{5})), one);
  idle();
  s.interrupt_receive();
  EXPECT_FALSE(one.done()) << "whoever interrupts must not be run over by what resumes";
  put(both.theirs, "after all");
  ASSERT_TRUE(until([&] { return one.done(); }));
  EXPECT_EQ(one.value->error().code, fault::canceled);
  outcome<result<>> two;
  start(receive(s, in(seconds{5})), two);
  ASSERT_TRUE(until([&] { return two.done(); }));
  EXPECT_EQ(s.input(), "after all");
}

// A sender that floods fills its own window, not our memory.
TEST_F(StreamReceiving, AFloodStopsAtABoundAndNothingIsLost) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  start(receive(s, mono_time::max()), first);
  const std::string sent = pattern(32U << 20U);
  std::size_t done = put(both.theirs, sent);
  ASSERT_TRUE(until([&] { return first.done(); }));
  for (int i = 0; i < 100; ++i) {
    done += put(both.theirs, std::string_view(sent).substr(done));
    idle(milliseconds{1});
  }
  EXPECT_LT(done, sent.size());
  EXPECT_LE(loop_->buffers().in_use(), loop_->buffers().size());
  const std::uint64_t stopped_at = s.bytes_received();
  idle();
  EXPECT_EQ(s.bytes_received(), stopped_at);

  std::string got;
  outcome<result<>> all;
  start(drain(s, got), all);
  const auto pump = [&] {
    done += put(both.theirs, std::string_view(sent).substr(done));
    if (done == sent.size()) both.theirs.reset();
    return all.done();
  };
  ASSERT_TRUE(until(pump, seconds{60}));
  EXPECT_TRUE(got == sent);
}

// With the smallest pool, more streams than buffers, all fed at once: each gets on.
TEST_F(StreamReceiving, ManyShareTheSmallestPool) {
  constexpr std::size_t count = 30;
  const std::string sent = pattern(300'000);
  std::vector<tcp_pair> sockets(count);
  std::vector<std::string> got(count);
  std::vector<outcome<result<>>> ends(count);
  std::vector<std::size_t> done(count);
  for (std::size_t i = 0; i < count; ++i) {
    start(drain(make(sockets[i].ours.release()), got[i]), ends[i]);
  }
  const auto pump = [&] {
    bool all = true;
    for (std::size_t i = 0; i < count; ++i) {
      if (done[i] < sent.size()) {
        done[i] += put(sockets[i].theirs, std::string_view(sent).substr(done[i]));
        if (done[i] == sent.size()) sockets[i].theirs.reset();
      }
      all = all && ends[i].done();
    }
    return all;
  };
  ASSERT_TRUE(until(pump, seconds{60}));
  for (const std::string& one : got) EXPECT_TRUE(one == sent);
}

// A pooled connection nobody reads from notices that its peer has gone, whatever it did before.
TEST_F(StreamReceiving, NoticesTheEndWhileIdleAfterHavingBeenStopped) {
  tcp_pair both;
  stream& s = make(both.ours.release(), origin::upstream);
  outcome<result<>> first;
  start(receive(s, mono_time::max()), first);
  const std::string sent = pattern(200'000);
  std::size_t done = put(both.theirs, sent);
  idle(milliseconds{20});
  std::string got;
  while (got.size() < sent.size()) {
    outcome<result<>> more;
    if (s.input().empty()) {
      start(receive(s, in(seconds{5})), more);
      ASSERT_TRUE(until([&] { return more.done(); }));
      ASSERT_TRUE(*more.value);
    }
    got.append(s.input());
    s.consume(s.input().size());
    done += put(both.theirs, std::string_view(sent).substr(done));
  }
  EXPECT_TRUE(got == sent);
  idle();
  EXPECT_TRUE(s.quiet());
  both.theirs.reset();
  EXPECT_TRUE(until([&] { return !s.quiet(); }));
}

}  // namespace
}  // namespace rw::net
