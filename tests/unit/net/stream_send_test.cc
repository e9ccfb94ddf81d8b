#include "net/stream.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <tuple>

#include "stream_world.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::tcp_pair;

// What a stream sends, through narrow sockets and to peers that take nothing.
class StreamSending : public StreamTest {};

TEST_F(StreamSending, SendsPiecesThroughANarrowSocket) {
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

TEST_F(StreamSending, ASendEndsWhenThePeerTakesNothing) {
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
TEST_F(StreamSending, ASendThatMovesMayTakeLongerThanTheGap) {
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

TEST_F(StreamSending, SendsAndReceivesAtOnce) {
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

TEST_F(StreamSending, AResetPeerFailsBothWays) {
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

}  // namespace
}  // namespace rw::net
