// What keys that match nothing may take of the CPU time of the threads that hash: a CPU that is
// never idle wakes its worker for fewer requests at a time, whatever the class of what keeps it
// busy.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace rw::gateway {

// One thread at a time.
class guess_budget {
 public:
  static constexpr nanoseconds burst =
      std::chrono::seconds{20};        // CPU time at once, over all threads
  static constexpr unsigned part = 4;  // then one part in so many of each thread's time

  guess_budget(unsigned threads, nanoseconds at_once) noexcept
      : threads_(threads), at_once_(at_once) {}

  // From when on a guess may be worked at; in the past when one may be now.
  mono_time open_from() const noexcept { return settled_ - time_for(at_once_); }

  // `spent` of CPU time went to a key that has not matched yet.
  void charge(nanoseconds spent, mono_time now) noexcept {
    settled_ = std::max(settled_, now) + time_for(spent);
  }
  // It has matched after all.
  void give_back(nanoseconds spent) noexcept { settled_ -= time_for(spent); }

 private:
  nanoseconds time_for(nanoseconds cpu) const noexcept { return cpu * part / threads_; }

  unsigned threads_;
  nanoseconds at_once_;
  mono_time settled_{};  // when all that was spent will have been earned
};

}  // namespace rw::gateway
