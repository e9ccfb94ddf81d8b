#include "net/stream.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <tuple>

#include <thread>

#include "stream_world.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::pair;
using io::test::tcp_pair;

class Stream : public StreamTest {};

// ---- receiving

TEST_F(Stream, ReceivesAndKeepsWhatIsNotConsumed) {
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

TEST_F(Stream, TheEndComesAfterWhatWasSentBeforeIt) {
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

TEST_F(Stream, HoldsBytesWithoutMovingThem) {
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
TEST_F(Stream, GathersWhatIsLargerThanABuffer) {
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

TEST_F(Stream, DoesNotGatherWithoutBound) {
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

TEST_F(Stream, AReceiveEndsAtItsDeadlineAndTheStreamGoesOn) {
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

TEST_F(Stream, ADeadlineCanBeMovedBothWays) {
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

TEST_F(Stream, AnInterruptedReceiveLosesNothing) {
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
TEST_F(Stream, AFloodStopsAtABoundAndNothingIsLost) {
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
TEST_F(Stream, ManyShareTheSmallestPool) {
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
TEST_F(Stream, NoticesTheEndWhileIdleAfterHavingBeenStopped) {
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

// ---- sending

TEST_F(Stream, SendsPiecesThroughANarrowSocket) {
  tcp_pair both;
  const int small = 1;  // the kernel's least
  ASSERT_EQ(::setsockopt(both.ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  stream& s = make(both.ours.release());
  const std::string a = pattern(70'001);
  const std::string b = pattern(1);
  const std::string c = pattern(130'000);
  for (const auto& [x, y, z] :
       {std::tuple<std::string_view, std::string_view, std::string_view>{a, b, c},
        {a, "", c},
        {"", b, ""},
        {"", "", ""},
        {"", a, c}}) {
    outcome<result<>> sent;
    start(send(s, x, y, z, seconds{5}), sent);
    std::string got;
    ASSERT_TRUE(until([&] {
      got.append(take_all(both.theirs));
      return sent.done();
    }));
    EXPECT_TRUE(*sent.value);
    const std::string expected = std::string(x).append(y).append(z);
    EXPECT_TRUE(until([&] {
      got.append(take_all(both.theirs));
      return got.size() >= expected.size();
    }));
    EXPECT_TRUE(got == expected);
  }
  EXPECT_EQ(s.bytes_sent(), 2 * a.size() + 2 * c.size() + 2 * b.size() + a.size() + c.size());
}

TEST_F(Stream, ASendEndsWhenThePeerTakesNothing) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  const std::string much = pattern(16U << 20U);
  outcome<result<>> sent;
  const mono_time before = loop_->kernel().now();
  start(send(s, much, {}, {}, milliseconds{30}), sent);
  ASSERT_TRUE(until([&] { return sent.done(); }));
  EXPECT_EQ(sent.value->error().code, fault::timed_out);
  EXPECT_GE(loop_->now() - before, milliseconds{30});
}

// The gap is between two bytes taken, not for the whole; nor for what frees a third of the buffer,
// which is when the kernel says that there is room again.
TEST_F(Stream, ASendThatMovesMayTakeLongerThanTheGap) {
  tcp_pair both;
  const int size = 2 << 20;
  ASSERT_EQ(::setsockopt(both.ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  stream& s = make(both.ours.release());
  const std::string much = pattern(16U << 20U);
  outcome<result<>> sent;
  start(send(s, much, {}, {}, milliseconds{100}), sent);
  std::string got;
  mono_time next = loop_->now();
  int full = 0;  // receives of a whole piece, each in a time of its own
  ASSERT_TRUE(until(
      [&] {
        if (full < 50 && loop_->now() >= next) {
          std::string piece(20'000, '\0');
          const ssize_t n = ::recv(both.theirs, piece.data(), piece.size(), MSG_DONTWAIT);
          if (n > 0) got.append(piece, 0, static_cast<std::size_t>(n));
          if (n == static_cast<ssize_t>(piece.size())) ++full;
          next = loop_->now() + milliseconds{10};
        } else if (full == 50) {
          got.append(take_all(both.theirs));
        }
        return sent.done() && got.size() == much.size();
      },
      seconds{30}));
  EXPECT_TRUE(*sent.value);
  EXPECT_TRUE(got == much);
}

TEST_F(Stream, SendsAndReceivesAtOnce) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  const std::string up = pattern(4U << 20U);
  const std::string down = pattern(3U << 20U);
  outcome<result<>> sent;
  outcome<result<>> received;
  std::string got_up;
  std::string got_down;
  start(send(s, up, {}, {}, seconds{5}), sent);
  start(drain(s, got_down, 1'000), received);
  std::size_t done = 0;
  ASSERT_TRUE(until(
      [&] {
        got_up.append(take_all(both.theirs));
        if (done < down.size()) {
          done += put(both.theirs, std::string_view(down).substr(done));
          if (done == down.size()) ::shutdown(both.theirs, SHUT_WR);
        }
        return got_up.size() == up.size() && received.done();
      },
      seconds{30}));
  EXPECT_TRUE(*sent.value);
  EXPECT_TRUE(got_up == up);
  EXPECT_TRUE(got_down == down);
}

TEST_F(Stream, AResetPeerFailsBothWays) {
  tcp_pair both;
  stream& s = make(both.ours.release(), origin::upstream);
  outcome<result<>> received;
  start(receive(s, in(seconds{5})), received);
  idle();
  loop_->kernel().reset(both.theirs.release());
  ASSERT_TRUE(until([&] { return received.done(); }));
  EXPECT_EQ(received.value->error().code, fault::reset);
  EXPECT_EQ(received.value->error().from, origin::upstream);
  outcome<result<>> sent;
  start(send(s, "x", {}, {}, seconds{1}), sent);
  ASSERT_TRUE(until([&] { return sent.done(); }));
  EXPECT_EQ(sent.value->error().code, fault::reset);
}

// ---- ends

TEST_F(Stream, AbortEndsWhatWaitsAndResumesNobodyItself) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  const std::string much = pattern(16U << 20U);
  outcome<result<>> sent;
  outcome<result<>> received;
  start(send(s, much, {}, {}, seconds{100}), sent);
  start(receive(s, mono_time::max()), received);
  idle();
  s.abort(fault::timed_out);
  s.abort(fault::canceled);  // the first reason stays
  EXPECT_FALSE(sent.done());
  EXPECT_FALSE(received.done());
  ASSERT_TRUE(until([&] { return sent.done() && received.done(); }));
  EXPECT_EQ(sent.value->error().code, fault::timed_out);
  EXPECT_EQ(received.value->error().code, fault::timed_out);
  outcome<result<>> after;
  start(receive(s, mono_time::max()), after);
  EXPECT_EQ(after.value->error().code, fault::timed_out);
}

// Nobody must take what was cut off for complete: not an end, a reset.
TEST_F(Stream, AnAbortedStreamIsReset) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> received;
  start(receive(s, mono_time::max()), received);
  outcome<result<>> sent;
  start(send(s, "half of it", {}, {}, seconds{5}), sent);
  ASSERT_TRUE(until([&] { return sent.done(); }));
  s.abort(fault::canceled);
  ASSERT_TRUE(until([&] { return received.done(); }));
  outcome<bool> closed;
  start(finish(s, in(seconds{1})), closed);
  ASSERT_TRUE(until([&] { return closed.done(); }));
  char bytes[16];
  ssize_t got = 0;
  while ((got = ::recv(both.theirs, bytes, sizeof bytes, 0)) > 0) {
  }
  EXPECT_EQ(got, -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(Stream, AHangupAbortsTheOther) {
  pair client;
  pair server;
  stream& down = make(client.ours.release());
  stream& up = make(server.ours.release(), origin::upstream);
  outcome<result<>> waiting;
  start(receive(up, mono_time::max()), waiting);
  down.abort_on_hangup(&up);
  put(client.theirs, "a pipelined request");
  idle();
  EXPECT_FALSE(waiting.done());
  client.theirs.reset();
  idle();
  EXPECT_FALSE(waiting.done()) << "there is a request to be answered still";

  outcome<result<>> next;
  start(receive(down, mono_time::max()), next);
  ASSERT_TRUE(until([&] { return next.done(); }));
  down.consume(down.input().size());
  down.abort_on_hangup(&up);  // has happened already
  ASSERT_TRUE(until([&] { return waiting.done(); }));
  EXPECT_EQ(waiting.value->error().code, fault::canceled);
}

TEST_F(Stream, AHangupWhileNobodyReadsIsNoticed) {
  for (const bool reset : {false, true}) {
    tcp_pair client;
    pair server;
    stream& down = make(client.ours.release());
    stream& up = make(server.ours.release(), origin::upstream);
    outcome<result<>> waiting;
    start(receive(up, mono_time::max()), waiting);
    down.abort_on_hangup(&up);
    idle();
    if (reset) {
      loop_->kernel().reset(client.theirs.release());
    } else {
      client.theirs.reset();
    }
    ASSERT_TRUE(until([&] { return waiting.done(); }));
    EXPECT_EQ(waiting.value->error().code, fault::canceled);
  }
}

TEST_F(Stream, AnAbortIsAHangupToo) {
  pair client;
  pair server;
  stream& down = make(client.ours.release());
  stream& up = make(server.ours.release(), origin::upstream);
  outcome<result<>> waiting;
  start(receive(up, mono_time::max()), waiting);
  down.abort_on_hangup(&up);
  down.abort(fault::canceled);
  ASSERT_TRUE(until([&] { return waiting.done(); }));
  EXPECT_EQ(waiting.value->error().code, fault::canceled);
}

TEST_F(Stream, NoHangupAfterItWasCalledOff) {
  pair client;
  pair server;
  stream& down = make(client.ours.release());
  stream& up = make(server.ours.release(), origin::upstream);
  outcome<result<>> waiting;
  start(receive(up, in(milliseconds{50})), waiting);
  down.abort_on_hangup(&up);
  down.abort_on_hangup(nullptr);
  client.theirs.reset();
  ASSERT_TRUE(until([&] { return waiting.done(); }));
  EXPECT_EQ(waiting.value->error().code, fault::timed_out);
}

// The answer must arrive although the client had more to say: closing at once would reset it away.
TEST_F(Stream, FinishReadsWhatIsStillComing) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> answered;
  put(both.theirs, pattern(50'000));
  start(send(s, "HTTP/1.1 413 ...", {}, {}, seconds{1}), answered);
  ASSERT_TRUE(until([&] { return answered.done(); }));
  outcome<bool> finished;
  start(finish(s, in(seconds{5})), finished);
  const std::string rest = pattern(500'000);
  std::size_t done = 0;
  std::string got;
  ASSERT_TRUE(until([&] {
    done += put(both.theirs, std::string_view(rest).substr(done));
    if (done == rest.size()) ::shutdown(both.theirs, SHUT_WR);
    got.append(take_all(both.theirs));
    return finished.done();
  }));
  EXPECT_EQ(done, rest.size());
  EXPECT_EQ(got, "HTTP/1.1 413 ...");
  char byte;
  EXPECT_EQ(::recv(both.theirs, &byte, 1, 0), 0) << "an end, not a reset";
}

TEST_F(Stream, FinishDoesNotWaitForever) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  outcome<bool> finished;
  const mono_time before = loop_->kernel().now();
  start(finish(s, before + milliseconds{30}), finished);
  ASSERT_TRUE(until([&] {
    put(both.theirs, "more and more");
    return finished.done();
  }));
  EXPECT_GE(loop_->now() - before, milliseconds{30});
  EXPECT_FALSE(s.is_open());
}

TEST_F(Stream, CloseWithAReceiveInFlightSaysTheEnd) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  start(receive(s, in(milliseconds{5})), first);
  ASSERT_TRUE(until([&] { return first.done(); }));
  ASSERT_EQ(loop_->kernel().in_flight(), 1U);
  io::spawn(s.close(), all_);
  ASSERT_TRUE(until([&] { return !s.is_open() && all_.inside() == 0; }));
  char byte;
  EXPECT_EQ(::recv(both.theirs, &byte, 1, 0), 0);
  io::spawn(s.close(), all_);  // again: nothing
}

// ---- opening

TEST_F(Stream, OpensAndTalks) {
  const io::test::listener at;
  stream& s = make(-1, origin::upstream);
  sockaddr_storage address{};
  std::memcpy(&address, &at.address, sizeof at.address);
  outcome<result<>> opened;
  start(s.open(address, sizeof at.address, in(seconds{5})), opened);
  ASSERT_TRUE(until([&] { return opened.done(); }));
  ASSERT_TRUE(*opened.value);
  EXPECT_TRUE(s.quiet());
  io::test::descriptor accepted(::accept(at.fd, nullptr, nullptr));
  outcome<result<>> sent;
  start(send(s, "hi", {}, {}, seconds{1}), sent);
  ASSERT_TRUE(until([&] { return sent.done(); }));
  EXPECT_EQ(take_all(accepted), "hi");
  accepted.reset();
  EXPECT_TRUE(until([&] { return !s.quiet(); })) << "the end of an idle one is noticed";
}

TEST_F(Stream, OpeningMayBeRefusedOrTakeTooLongOrBeCalledOff) {
  sockaddr_storage nobody{};
  {
    const io::test::listener gone;
    std::memcpy(&nobody, &gone.address, sizeof gone.address);
  }
  outcome<result<>> refused;
  start(make(-1).open(nobody, sizeof(sockaddr_in), in(seconds{5})), refused);
  ASSERT_TRUE(until([&] { return refused.done(); }));
  EXPECT_EQ(refused.value->error().code, fault::refused);

  // A listener whose queue is full drops what comes: nobody answers.
  const io::test::listener full;
  ASSERT_EQ(::listen(full.fd, 0), 0);
  const io::test::descriptor first = full.connect();
  std::vector<io::test::descriptor> more;
  sockaddr_storage silent{};
  std::memcpy(&silent, &full.address, sizeof full.address);
  outcome<result<>> late;
  outcome<result<>> off;
  outcome<result<>> filler;
  start(make(-1).open(silent, sizeof(sockaddr_in), in(milliseconds{30})), filler);
  ASSERT_TRUE(until([&] { return filler.done(); }));
  start(make(-1).open(silent, sizeof(sockaddr_in), in(milliseconds{30})), late);
  ASSERT_TRUE(until([&] { return late.done(); }));
  EXPECT_EQ(late.value->error().code, fault::timed_out);
  stream& dropped = make(-1);
  start(dropped.open(silent, sizeof(sockaddr_in), in(seconds{100})), off);
  idle();
  dropped.abort(fault::canceled);
  ASSERT_TRUE(until([&] { return off.done(); }));
  EXPECT_EQ(off.value->error().code, fault::canceled);
}

}  // namespace
}  // namespace rw::net
