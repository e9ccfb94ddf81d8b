#include "net/stream.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "stream_world.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::pair;
using io::test::tcp_pair;

class Stream : public StreamTest {};

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
