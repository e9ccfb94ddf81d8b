// How many requests of one worker may be sent to an origin a second time.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace rw::upstream {

// Each request earns a part of a retry (retry.budget), and a few are saved up: when all servers
// fail, the load on what is left of them does not double. Where there are few requests one a second
// is free.
class retry_budget {
 public:
  static constexpr double saved_max = 64;
  static constexpr double free_per_second = 1;

  void earn(double part) noexcept { saved_ = std::min(saved_ + part, saved_max); }
  // False: it is used up. With `part` 0 nothing is ever tried again.
  bool spend(double part, mono_time now) noexcept {
    if (part <= 0) return false;
    const double seconds = std::chrono::duration<double>(now - asked_).count();
    if (asked_ != mono_time{}) saved_ = std::min(saved_ + seconds * free_per_second, saved_max);
    asked_ = now;
    if (saved_ < 1) return false;
    saved_ -= 1;
    return true;
  }

 private:
  double saved_ = saved_max;
  mono_time asked_;
};

}  // namespace rw::upstream
