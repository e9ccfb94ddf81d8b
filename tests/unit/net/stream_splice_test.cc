// Bytes that go from socket to socket through a pipe, and the ways into and out of that.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "net/stream.h"
#include "stream_world.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::tcp_pair;
using receive_mode = stream::receive_mode;

class StreamSplice : public StreamTest {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }  // as the program does
};

io::task<result<>> send_all(stream& to, io::pipe& from, nanoseconds gap) {
  const result<> sent = co_await to.send(from, gap);
  co_return sent;
}

// Moves `left` bytes, in the same order as they came, whoever has received them.
io::task<result<>> move(stream& from, stream& to, std::size_t left) {
  io::pipe pipe = from.loop().pipes().take();
  while (left > 0) {
    const result<std::size_t> got = from.splice_to(pipe, left);
    if (!got) co_return failure(got.error());
    std::size_t size = *got;
    if (size == 0) {
      const result<> more = co_await from.receive(from.loop().now() + seconds{5});
      if (!more) co_return more;
      size = from.input().size();
      const result<> sent = co_await to.send(from.input(), seconds{5});
      if (!sent) co_return sent;
      from.consume(size);
    } else {
      const result<> sent = co_await to.send(pipe, seconds{5});
      if (!sent) co_return sent;
    }
    left -= size;
  }
  co_return {};
}

TEST_F(StreamSplice, BringsTheSameBytesInOrder) {
  for (const receive_mode before :
       {receive_mode::pooled, receive_mode::single, receive_mode::bulk}) {
    tcp_pair in;
    tcp_pair out;
    stream& from = make(in.ours.release());
    stream& to = make(out.ours.release());
    const std::string sent = pattern(8U << 20U);
    from.receive_as(before);
    outcome<result<>> first;
    start(receive(from, loop_->now() + seconds{5}), first);
    std::size_t done = put(in.theirs, std::string_view(sent).substr(0, 300'000));
    ASSERT_TRUE(until([&] { return first.done(); }));
    idle();  // more has come than was read
    std::string got(from.input());
    from.consume(from.input().size());
    from.receive_as(receive_mode::readiness);
    outcome<result<>> moved;
    start(move(from, to, sent.size() - got.size()), moved);
    ASSERT_TRUE(until([&] {
      done += put(in.theirs, std::string_view(sent).substr(done));
      got += take_all(out.theirs);
      return moved.done() && got.size() == sent.size();
    }));
    EXPECT_TRUE(*moved.value);
    EXPECT_TRUE(got == sent);
    EXPECT_EQ(loop_->pipes().lent(), 0U);
    EXPECT_EQ(from.bytes_received(), sent.size());
    from.receive_as(receive_mode::pooled);
    EXPECT_TRUE(from.quiet());
    in.theirs.reset();
    EXPECT_TRUE(until([&] { return !from.quiet(); }));  // noticed again while nobody reads
  }
}

TEST_F(StreamSplice, SaysWhoseEndItWas) {
  tcp_pair in;
  tcp_pair out;
  stream& from = make(in.ours.release());
  stream& to = make(out.ours.release());
  from.receive_as(receive_mode::readiness);
  outcome<result<>> ended;
  start(move(from, to, 1'000'000), ended);
  put(in.theirs, pattern(1000));
  idle();
  in.theirs.reset();
  ASSERT_TRUE(until([&] { return ended.done(); }));
  EXPECT_EQ(ended.value->error().code, fault::closed);
  EXPECT_EQ(take_all(out.theirs), pattern(1000));

  tcp_pair again;
  stream& other = make(again.ours.release());
  other.receive_as(receive_mode::readiness);
  const linger at_once{1, 0};
  ::setsockopt(out.theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  out.theirs.reset();
  put(again.theirs, pattern(1000));
  outcome<result<>> gone;
  start(move(other, to, 1'000'000), gone);
  ASSERT_TRUE(until([&] {
    put(again.theirs, "more");
    return gone.done();
  }));
  EXPECT_EQ(gone.value->error().code, fault::reset);
  EXPECT_EQ(loop_->pipes().lent(), 0U);
}

TEST_F(StreamSplice, WaitsForAPeerThatTakesNothingAsLongAsTheGap) {
  for (const bool aborted : {false, true}) {
    tcp_pair in;
    tcp_pair out;
    stream& from = make(in.ours.release());
    stream& to = make(out.ours.release());
    from.receive_as(receive_mode::readiness);
    const std::string bytes = pattern(16U << 20U);
    std::size_t done = 0;
    io::pipe pipe = loop_->pipes().take();
    outcome<result<>> sent;
    // Until it waits: both sockets are blocking ones, and the loop is never held up by them.
    ASSERT_TRUE(until([&] {
      done += put(in.theirs, std::string_view(bytes).substr(done));
      const result<std::size_t> got = from.splice_to(pipe, bytes.size());
      EXPECT_TRUE(got);
      if (*got == 0) return false;
      start(send_all(to, pipe, milliseconds{40}), sent);
      if (sent.done()) sent.value.reset();
      return pipe.held() > 0;
    }));
    if (aborted) to.abort(fault::canceled);
    ASSERT_TRUE(until([&] { return sent.done(); }));
    EXPECT_EQ(sent.value->error().code, aborted ? fault::canceled : fault::timed_out);
    EXPECT_GT(pipe.held(), 0U);
    pipe = {};
    EXPECT_EQ(loop_->pipes().lent(), 0U);
  }
}

TEST_F(StreamSplice, LendsSoManyPipesAndKeepsThoseThatAreEmpty) {
  std::vector<io::pipe> lent;
  for (std::size_t i = 0; i < io::pipe_pool::lent_max; ++i) {
    lent.push_back(loop_->pipes().take());
    ASSERT_TRUE(lent.back());
  }
  EXPECT_FALSE(loop_->pipes().take());
  const int fd = lent.back().ends().write;
  lent.pop_back();
  EXPECT_EQ(loop_->pipes().take().ends().write, fd);
  lent.clear();
  EXPECT_EQ(loop_->pipes().lent(), 0U);
  io::pipe one = loop_->pipes().take();
  const int dirty = one.ends().write;
  EXPECT_EQ(::write(dirty, "x", 1), 1);
  one.filled(1);
  one = {};
  EXPECT_NE(::fcntl(dirty, F_GETFD), 0);  // closed: nobody else gets that byte
}

}  // namespace
}  // namespace rw::net
