// How long a send may go without its peer acknowledging anything.
#pragma once

#include "base/clock.h"
#include "io/loop.h"

namespace rw::net {

// The kernel calls a socket writable once a third of its buffer is free, and that buffer may hold
// minutes of a slow peer: what tells a slow one from one that is gone is what it acknowledges.
// Looks four times per gap, and cancels the operation after four looks in a row that saw nothing
// move.
class send_gap : io::timer {
 public:
  send_gap(io::loop& on, int fd, io::operation& of, nanoseconds gap) noexcept
      : timer(&on_look), loop_(on), fd_(fd), of_(of), gap_(gap) {}

  void start() noexcept {
    idle_looks_ = 0;
    look_again();
  }
  void stop() noexcept { disarm(); }
  bool expired() const noexcept { return expired_; }
  nanoseconds length() const noexcept { return gap_; }

 private:
  static constexpr unsigned looks_per_gap = 4;

  void look_again() noexcept { loop_.timers().arm(*this, loop_.now() + gap_ / looks_per_gap); }

  static void on_look(io::timer& timer) {
    auto& self = static_cast<send_gap&>(timer);
    const std::size_t left = self.loop_.kernel().unacknowledged(self.fd_);
    const bool moved = left != std::exchange(self.unacknowledged_, left);
    self.idle_looks_ = moved ? 0 : self.idle_looks_ + 1;
    if (self.idle_looks_ < looks_per_gap) {
      self.look_again();
      return;
    }
    self.expired_ = true;
    self.loop_.kernel().cancel(self.of_);
  }

  io::loop& loop_;
  int fd_;
  io::operation& of_;
  nanoseconds gap_;
  std::size_t unacknowledged_ = SIZE_MAX;  // at the last look
  unsigned idle_looks_ = 0;                // in a row that saw nothing acknowledged
  bool expired_ = false;
};

}  // namespace rw::net
