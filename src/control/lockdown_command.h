// `ringward version --lockdown`.
#pragma once

#include <string>

namespace rw::control {

struct lockdown_options {
  bool wanted = false;
  std::string config = "/etc/ringward";
  // Something that a locked-down gate must not get: "open:PATH", "write:PATH", "exec:PATH",
  // "connect:ADDRESS", "bind:ADDRESS", "operation:NUMBER" of io_uring, "ring", "signal:PID".
  std::string attempt;
};

// Locks this process down as `ringward run` does with that configuration, and prints what is in
// force; or then tries what `attempt` says: the exit status is 0 when it was refused and 1 when
// not, if the process lives to say it.
int run_lockdown(const lockdown_options& options);

}  // namespace rw::control
