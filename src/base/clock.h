// Two clocks, never mixed: monotonic for durations and limits, wall for log lines and token dates.
// Folders that must not read a clock (http, auth, limit, route) take these types as arguments.
#pragma once

#include <chrono>

namespace rw {

using std::chrono::nanoseconds;
using mono_time = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;
using wall_time = std::chrono::time_point<std::chrono::system_clock, nanoseconds>;

}  // namespace rw
