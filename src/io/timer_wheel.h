// Deadlines of one worker: arming, moving and disarming one costs a few list links, whatever their
// number. Resolution is 1 ms, always late, never early.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace rw::io {

class timer_wheel;

// One deadline. Lives in the object it guards; disarms itself when destroyed. Its address is its
// identity: not movable.
class timer {
 public:
  // Called once from timer_wheel::advance(), disarmed; may arm again or destroy the timer.
  using handler = void (*)(timer&);

  explicit timer(handler on_expiry) noexcept : on_expiry_(on_expiry) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;
  ~timer() { disarm(); }

  bool armed() const noexcept { return wheel_ != nullptr; }
  void disarm() noexcept;

 private:
  friend class timer_wheel;
  handler on_expiry_;
  timer_wheel* wheel_ = nullptr;
  timer* next_ = nullptr;
  timer* previous_ = nullptr;
  std::uint64_t tick_ = 0;
  std::uint16_t slot_ = 0;
};

class timer_wheel {
 public:
  explicit timer_wheel(mono_time now) noexcept : start_(now) {}
  ~timer_wheel();
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  // Armed timers are moved. A deadline that has passed expires at the next advance().
  void arm(timer& one, mono_time deadline) noexcept;
  // Calls the handlers of all that have expired, in order of milliseconds.
  void advance(mono_time now) noexcept;
  // When advance() is worth calling next; mono_time::max() when nothing is armed.
  mono_time next() const noexcept;

  unsigned armed() const noexcept { return armed_; }

 private:
  friend class timer;
  // 64 slots each of 1 ms, 64 ms, 4.1 s, 4.4 min and 4.7 h: 12.4 days. Later ones wait in the last
  // slot and are linked again from there.
  static constexpr unsigned levels = 5;
  static constexpr unsigned slots_per_level = 64;

  void link(timer& one) noexcept;
  void unlink(timer& one) noexcept;
  void expire(unsigned slot) noexcept;
  void cascade(unsigned slot) noexcept;
  std::uint64_t next_tick() const noexcept;

  mono_time start_;
  std::uint64_t tick_ = 0;  // the last one handled
  unsigned armed_ = 0;
  std::array<std::uint64_t, levels> occupied_{};
  std::array<timer*, std::size_t{levels} * slots_per_level> first_{};
};

}  // namespace rw::io
