// What `ringward profile` prints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/phase.h"

namespace rw::control {

// Of one worker, in the time of the profile.
struct worker_profile {
  nanoseconds cpu{0};
  std::uint64_t requests = 0;
  phase_samples::counts samples{};
};

struct gate_profile {
  nanoseconds time{0};
  nanoseconds other_threads{0};  // CPU time of those that are no workers
  std::vector<worker_profile> workers;
};

std::string profile_text(const gate_profile& of);
std::string profile_json(const gate_profile& of);

}  // namespace rw::control
