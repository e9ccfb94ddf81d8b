#include <algorithm>
#include <cstring>

#include "stream_world.h"

namespace rw::net::test {
namespace {

using io::test::pair;
using io::test::tcp_pair;

// ---- between two requests: what quiet() cannot see
class StreamRest : public StreamTest {
 protected:
  StreamRest() : StreamTest(4U << 20U) {}

  // Receives until `bytes` have been consumed.
  void take(stream& s, std::size_t bytes) {
    while (bytes > 0) {
      outcome<result<>> more;
      if (s.input().empty()) {
        start(receive(s, in(seconds{5})), more);
        ASSERT_TRUE(until([&] { return more.done(); }));
        ASSERT_TRUE(*more.value);
      }
      const std::size_t now = std::min(bytes, s.input().size());
      s.consume(now);
      bytes -= now;
    }
  }
};

TEST_F(StreamRest, SeesWhatTheKernelHolds) {
  using mode = stream::receive_mode;
  for (const mode how : {mode::single, mode::bulk}) {
    tcp_pair both;
    stream& s = make(both.ours.release(), origin::upstream);
    s.receive_as(how);
    const std::size_t one = how == mode::single ? io::buffer::capacity() : stream::bulk_bytes;
    put(both.theirs, pattern(one));
    take(s, one);
    put(both.theirs, "nobody has asked for this");
    s.receive_as(mode::single);
    EXPECT_TRUE(s.quiet());
    EXPECT_FALSE(s.rest());
  }
}

TEST_F(StreamRest, AfterABodyOfOneBufferAtATimeTheEndIsNoticed) {
  tcp_pair both;
  stream& s = make(both.ours.release(), origin::upstream);
  s.receive_as(stream::receive_mode::single);
  put(both.theirs, "answer");
  take(s, 6);
  ASSERT_TRUE(s.rest());
  idle();
  EXPECT_TRUE(s.quiet());
  both.theirs.reset();
  EXPECT_TRUE(until([&] { return !s.quiet(); }));
}

TEST_F(StreamRest, SaysNoToWhatHasEndedOrHoldsSomething) {
  tcp_pair both;
  stream& s = make(both.ours.release(), origin::upstream);
  put(both.theirs, "answer and more");
  take(s, 6);
  EXPECT_FALSE(s.rest());
  s.consume(s.input().size());
  EXPECT_TRUE(s.rest());
  both.theirs.reset();
  EXPECT_TRUE(until([&] { return !s.rest(); }));
}

// ---- what is held while a request is under way
class StreamHold : public StreamTest {
 protected:
  StreamHold() : StreamTest(16U << 20U) {}
};

TEST_F(StreamHold, ASmallHeadInFrontOfMuchIsCopiedAndSaysWhereTo) {
  pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  start(receive(s, mono_time::max()), first);
  put(both.theirs, "HEAD" + pattern(9'000));
  ASSERT_TRUE(until([&] { return first.done(); }));
  const char* const rest = s.input().data() + 4;
  const stream::held held = s.hold(4);
  ASSERT_NE(held.moved_to, nullptr);
  EXPECT_EQ(std::string_view(held.moved_to, 4), "HEAD");
  EXPECT_EQ(s.input().data(), rest);
  EXPECT_EQ(s.input(), pattern(9'000));
}

TEST_F(StreamHold, ABulkReceivesMemoryIsNotKeptForAHead) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  s.receive_as(stream::receive_mode::bulk);
  put(both.theirs, "body, then HEAD");
  outcome<result<>> first;
  start(receive(s, in(seconds{5})), first);
  ASSERT_TRUE(until([&] { return first.done(); }));
  s.consume(11);
  s.receive_as(stream::receive_mode::single);
  const stream::held held = s.hold(4);
  EXPECT_EQ(held.spill, nullptr);
  EXPECT_EQ(std::string_view(held.moved_to, 4), "HEAD");
}

// A client that sends while its request is under way, with nobody to read it.
TEST_F(StreamHold, WhatNobodyReadsIsBounded) {
  tcp_pair both;
  stream& s = make(both.ours.release());
  outcome<result<>> first;
  start(receive(s, mono_time::max()), first);
  put(both.theirs, "HEAD");
  ASSERT_TRUE(until([&] { return first.done(); }));
  const stream::held held = s.hold(4);
  const std::string junk = pattern(32U << 20U);
  std::size_t done = 0;
  for (int i = 0; i < 50; ++i) {
    done += put(both.theirs, std::string_view(junk).substr(done));
    idle(milliseconds{1});
  }
  EXPECT_LT(done, junk.size());
  // Four unread, and what one more receive brings; docs/life-of-a-request.md has the number.
  EXPECT_LE(loop_->buffers().in_use(), 1U + 8U);
  EXPECT_LE(s.bytes_received(), 4U + 8U * io::buffer::capacity());
}

}  // namespace
}  // namespace rw::net::test
