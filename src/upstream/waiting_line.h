// Requests under way at an upstream are bounded over all workers (max_requests_in_flight), and some
// may wait for a place (pool.queue).
#pragma once

#include <coroutine>
#include <cstdint>

#include "config/config.h"
#include "io/loop.h"
#include "net/stream.h"
#include "upstream/health.h"

namespace rw::upstream {

// One worker's part of it: first come, first served. A place that a request of this worker gives
// back goes to the first of this line; one that another worker gives back is found within `step`.
class waiting_line {
 public:
  static constexpr std::chrono::milliseconds step{5};

  // Both outlive it.
  waiting_line(io::loop& on, group& common, const config::upstream& rules) noexcept
      : loop_(on), common_(common), rules_(rules) {}
  ~waiting_line();
  waiting_line(const waiting_line&) = delete;
  waiting_line& operator=(const waiting_line&) = delete;

  enum class outcome : std::uint8_t { taken, full, timed_out, gone };

  // Takes a place, unless that would be before somebody who waits. False: wait().
  bool take_at_once() noexcept {
    if (rules_.queue != 0 && common_.waiting.load(std::memory_order_relaxed) != 0) return false;
    return take();
  }
  // `co_await line.wait(client)`: until there is a place (taken), the line was full, it took longer
  // than queue_timeout, or `client` has gone, which is noticed within `step`.
  class awaiter;
  awaiter wait(const net::stream& client) noexcept;
  // For each place that was taken.
  void give_back() noexcept;

  unsigned length() const noexcept { return length_; }

 private:
  struct beat : io::timer {
    explicit beat(waiting_line& of) noexcept : timer(&on_beat), owner(of) {}
    waiting_line& owner;
  };
  static void on_beat(io::timer& timer);
  bool take() noexcept;
  void enter(awaiter& last) noexcept;
  void leave(awaiter& one, outcome how) noexcept;
  void look() noexcept;

  io::loop& loop_;
  group& common_;
  const config::upstream& rules_;
  awaiter* first_ = nullptr;
  awaiter* last_ = nullptr;
  unsigned length_ = 0;
  beat beat_{*this};
};

class waiting_line::awaiter {
 public:
  awaiter(waiting_line& line, const net::stream& client) noexcept : line_(line), client_(client) {}
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;
  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> awaiting) noexcept;
  outcome await_resume() const noexcept { return how_; }

 private:
  friend class waiting_line;
  waiting_line& line_;
  const net::stream& client_;
  std::coroutine_handle<> awaiting_;
  outcome how_ = outcome::full;
  mono_time deadline_;
  awaiter* next_ = nullptr;
  awaiter* previous_ = nullptr;
};

inline waiting_line::awaiter waiting_line::wait(const net::stream& client) noexcept {
  return {*this, client};
}

}  // namespace rw::upstream
