// How much a client may send of a request's body before any of it was taken (RFC 9113 6.9): little
// at first, more for those whose path needs it, and never more than somebody has set aside. No I/O.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace rw::http {

// Octets that the streams of a worker may be promised, together, beyond what each may send from the
// start. One thread; outlives all windows.
class window_pool {
 public:
  explicit window_pool(std::uint64_t octets) noexcept : free_(octets) {}
  // All of them, or none: false.
  bool lend(std::uint64_t octets) noexcept;
  void give_back(std::uint64_t octets) noexcept { free_ += octets; }
  std::uint64_t free() const noexcept { return free_; }

 private:
  std::uint64_t free_;
};

// Of one stream. Doubles when a whole window has gone on to the origin within two round trips: a
// longer path, or one with less in it, would not have brought as much, and a slower origin would
// not have taken it.
class receive_window {
 public:
  // RFC 9113 6.9.2: what a client may send before it has seen our SETTINGS, so less than that is no
  // bound.
  static constexpr std::uint32_t first = (64U << 10U) - 1;
  // 1 Gbit/s over 50 ms.
  static constexpr std::uint32_t most = 6'250'000;
  // Less than that is no path's length but the time that the gate and its origin take.
  static constexpr nanoseconds least_round_trip = std::chrono::milliseconds{10};

  explicit receive_window(window_pool& from) noexcept : from_(from) {}
  ~receive_window() { give_back(); }
  receive_window(const receive_window&) = delete;
  receive_window& operator=(const receive_window&) = delete;

  std::uint32_t size() const noexcept { return size_; }
  // So many octets of what came went on, the last of them at `now`. True: with them a whole window
  // has, since it was last so, and grow() may be asked.
  bool drained(std::uint64_t octets, mono_time now) noexcept;
  // True: it has grown. `round_trip`: of the connection.
  bool grow(nanoseconds round_trip) noexcept;
  // Nothing comes any more, and nothing that came is held: what it has grown by is others' again.
  void give_back() noexcept;

 private:
  window_pool& from_;
  std::uint32_t size_ = first;
  std::uint64_t octets_ = 0;  // since since_
  mono_time since_;
  nanoseconds took_{0};  // the last whole window
};

}  // namespace rw::http
