// A loop on the real ring, streams on it, and what must be true at the end of every test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "../io/sockets.h"
#include "io/loop.h"
#include "net/stream.h"

namespace rw::net::test {

using io::test::pattern;
using io::test::put;
using io::test::take_all;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What came of a task that was spawned.
template <class T>
struct outcome {
  std::optional<T> value;
  bool done() const { return value.has_value(); }
};

class StreamTest : public testing::Test {
 protected:
  // The smallest pool: sixteen buffers.
  explicit StreamTest(std::size_t buffers_bytes = 1) {
    descriptors_ = io::test::open_descriptors();
    loop_.emplace(std::move(*io::ring::create(64)), buffers_bytes);
    loop_->timers().arm(beat_, loop_->now() + milliseconds{1});
  }

  void TearDown() override {
    for (stream& one : streams_) io::spawn(one.close(), all_);
    EXPECT_TRUE(until([&] { return all_.inside() == 0; }));
    streams_.clear();
    beat_.disarm();
    EXPECT_EQ(loop_->buffers().in_use(), 0U);
    EXPECT_EQ(loop_->kernel().in_flight(), 0U);
    EXPECT_EQ(loop_->timers().armed(), 0U);
    EXPECT_EQ(io::frames_alive(), 0U);
    loop_.reset();
    EXPECT_EQ(io::test::open_descriptors(), descriptors_);
  }

  stream& make(int fd, origin side = origin::downstream) {
    return streams_.emplace_back(*loop_, fd, side);
  }

  // Turns until `done`; a beat each millisecond keeps turns from lasting.
  testing::AssertionResult until(const std::function<bool()>& done,
                                 nanoseconds at_most = seconds{5}) {
    const mono_time deadline = loop_->kernel().now() + at_most;
    while (!done()) {
      if (loop_->now() > deadline) return testing::AssertionFailure() << "not in time";
      loop_->turn();
    }
    return testing::AssertionSuccess();
  }
  void idle(nanoseconds for_so_long = milliseconds{10}) {
    const mono_time end = loop_->kernel().now() + for_so_long;
    while (loop_->now() < end) loop_->turn();
  }

  // ---- coroutines of the tests
  template <class T>
  static io::task<> keep(io::task<T> one, outcome<T>& out) {
    T got = co_await one;
    out.value.emplace(std::move(got));
  }
  template <class T>
  void start(io::task<T> one, outcome<T>& out) {
    io::spawn(keep(std::move(one), out), all_);
  }

  static io::task<result<>> receive(stream& s, mono_time by) {
    const result<> got = co_await s.receive(by);
    co_return got;
  }
  static io::task<result<>> send(stream& s, std::string_view a, std::string_view b,
                                 std::string_view c, nanoseconds gap) {
    const result<> sent = co_await s.send({a, b, c}, gap);
    co_return sent;
  }
  // Everything up to the end of the stream, or the error, into `to`; at most `most` at a time.
  static io::task<result<>> drain(stream& s, std::string& to, std::size_t most = SIZE_MAX) {
    for (;;) {
      const result<> more = co_await s.receive(s.loop().now() + seconds{5});
      if (!more) co_return more;
      while (!s.input().empty()) {
        const std::string_view part = s.input().substr(0, most);
        to.append(part);
        s.consume(part.size());
      }
    }
  }
  static io::task<bool> finish(stream& s, mono_time by) {
    co_await s.finish(by);
    co_await s.close();
    co_return true;
  }
  mono_time in(nanoseconds later) { return loop_->kernel().now() + later; }

  struct beat : io::timer {
    explicit beat(StreamTest& t)
        : timer([](io::timer& self) {
            auto& b = static_cast<beat&>(self);
            b.of.loop_->timers().arm(b, b.of.loop_->now() + milliseconds{1});
          }),
          of(t) {}
    StreamTest& of;
  };

  int descriptors_ = 0;
  std::optional<io::loop> loop_;
  io::gate all_;
  std::list<stream> streams_;
  beat beat_{*this};
};

}  // namespace rw::net::test
