// Receives of a quarter of a MiB into the stream's own memory, and the ways into and out of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "net/stream.h"
#include "stream_world.h"

namespace rw::net {
namespace {

using namespace test;
using io::test::tcp_pair;
using receive_mode = stream::receive_mode;

class StreamBulk : public StreamTest {};

TEST_F(StreamBulk, BringsTheSameBytes) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  const std::string sent = pattern(8U << 20U);
  std::size_t done = put(both.theirs, std::string_view(sent).substr(0, 50'000));
  outcome<result<>> first;
  start(receive(s, in(seconds{5})), first);
  ASSERT_TRUE(until([&] { return first.done(); }));
  idle();  // the multishot has brought more than was read
  std::string got;
  std::size_t largest = 0;
  // On and off again, in the middle of what has come and of what is still to come.
  for (int round = 0; got.size() < sent.size(); ++round) {
    s.receive_as(round % 4 != 3 ? receive_mode::bulk : receive_mode::pooled);
    outcome<result<>> more;
    start(receive(s, in(seconds{5})), more);
    ASSERT_TRUE(until([&] {
      done += put(both.theirs, std::string_view(sent).substr(done));
      return more.done();
    }));
    ASSERT_TRUE(*more.value);
    largest = std::max(largest, s.input().size());
    const std::size_t taken = round % 3 == 0 ? s.input().size() / 2 + 1 : s.input().size();
    got.append(s.input().substr(0, taken));
    s.consume(taken);
    if (done == sent.size()) both.theirs.reset();
    if (got.size() + s.input().size() == sent.size()) got.append(s.input());
  }
  EXPECT_TRUE(got == sent);
  EXPECT_GT(largest, io::buffer::capacity());
  EXPECT_LE(largest, 2 * stream::bulk_bytes);
}

TEST_F(StreamBulk, EndsByDeadlineInterruptOrClose) {
  for (const bool interrupted : {false, true}) {
    tcp_pair both;
    stream& s = make(both.ours.release());
    s.receive_as(receive_mode::bulk);
    outcome<result<>> none;
    start(receive(s, interrupted ? mono_time::max() : in(milliseconds{20})), none);
    idle();
    if (interrupted) s.interrupt_receive();
    ASSERT_TRUE(until([&] { return none.done(); }));
    EXPECT_EQ(none.value->error().code, interrupted ? fault::canceled : fault::timed_out);
    s.receive_as(
        receive_mode::pooled);  // its receive is still in the kernel's hands, with our memory
    put(both.theirs, "late");
    outcome<result<>> late;
    start(receive(s, in(seconds{5})), late);
    ASSERT_TRUE(until([&] { return late.done(); }));
    EXPECT_EQ(s.input(), "late");
    s.receive_as(receive_mode::bulk);
    s.consume(4);
    outcome<result<>> again;
    start(receive(s, in(milliseconds{20})), again);
    ASSERT_TRUE(until([&] { return again.done(); }));
  }  // closed in TearDown with a bulk receive under way
}

TEST_F(StreamBulk, OnceOverAHangupIsNoticedAgain) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  s.receive_as(receive_mode::bulk);
  outcome<result<>> got;
  start(receive(s, in(seconds{5})), got);
  put(both.theirs, "body");
  ASSERT_TRUE(until([&] { return got.done(); }));
  s.consume(4);
  s.receive_as(receive_mode::pooled);
  EXPECT_TRUE(s.quiet());
  both.theirs.reset();
  EXPECT_TRUE(until([&] { return !s.quiet(); }));
  EXPECT_EQ(loop_->buffers().in_use(), 0U);
}

}  // namespace
}  // namespace rw::net
