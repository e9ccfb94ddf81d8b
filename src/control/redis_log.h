// Lines about Redis. Workers ask it and leave marks in their counters; the lines are written here.
#pragma once

#include <cstdint>
#include <span>

#include "base/clock.h"
#include "gateway/snapshot.h"
#include "observe/counters.h"
#include "observe/log.h"

namespace rw::control {

// Of the control thread. Says once that no worker can ask, and once that all can again.
class redis_log {
 public:
  // How long it may take to come, or to come back, before a word is said.
  static constexpr std::chrono::milliseconds patience{500};

  void look(const gateway::snapshot& state, std::span<const observe::counters* const> workers,
            mono_time now, const observe::log& to);

 private:
  bool lost_ = false;
  mono_time well_at_;  // when every worker could ask, or there was nothing to be asked
};

}  // namespace rw::control
