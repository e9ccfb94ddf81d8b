// What the admin page shows while somebody looks: found out once for all who do.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "control/top_sample.h"
#include "io/task.h"

namespace rw::control {

class process;

// Of the control thread.
class live_view {
 public:
  static constexpr std::chrono::seconds interval{1};  // between two samples
  // Between two looks at what changes slowly, or takes long to find out.
  static constexpr std::chrono::seconds status_interval{5};
  static constexpr std::uint32_t limits_max = 16;  // of which the fullest keys are looked for
  static constexpr unsigned keys_max = 3;          // of each

  explicit live_view(process& of) noexcept : process_(of) {}

  // What somebody has been told.
  struct mark {
    std::uint64_t sample = 0;
    std::uint64_t status = 0;
  };
  // Looks at the gate where the last look is old enough, unless somebody else just does.
  io::task<> look();
  // Events of a text/event-stream (WHATWG HTML 9.2.6) that came after `seen`, which moves on:
  // "sample", what one second brought as `top --json` has it, and the servers; "status", as
  // `status --json`, with the fullest keys of limits. Empty: there is nothing new.
  std::string news(mark& seen) const;

 private:
  io::task<std::string> fullest_keys();

  process& process_;
  metric_sample last_;
  std::string sample_;
  std::string status_;
  mono_time sampled_;
  mono_time status_at_;
  mark made_;
  bool looking_ = false;
};

}  // namespace rw::control
