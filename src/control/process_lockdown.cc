// A gate gives up what it does not need any more. docs/lockdown.md
#include <fmt/format.h>
#include <sys/stat.h>

#include "control/process.h"
#include "gateway/snapshot_files.h"

namespace rw::control {

void process::lock_down() {
  // By opening connections to itself and by loading modules: not later.
  found_ = io::probe();
  // Made when first needed, it would be out of reach by then.
  if (!from_.path.empty()) ::mkdir(settings().server.state.c_str(), 0750);
  reach_ = reach_of(from_.path, settings(), state_->files);
  helper_.end();
  lockdown_ = control::lock_down(reach_, loop_->kernel());
}

void process::lock_rings() {
  lockdown_.push_back(control::lock_rings());
  if (lockdown_.back().cost.empty()) return;
  // The line that the start wrote did not know of it: again, as `status` says it from now on.
  const ledger_entry all = sum_up(lockdown_);
  log_.info(fmt::format("{}: {}; {}", all.what, all.is, all.cost));
}

std::vector<std::string> process::ports_given_up(const config::configuration& asked) const {
  if (!keeps_to_ports(lockdown_)) return {};
  return ports_out_of_reach(reach_, ports_of(asked));
}

std::vector<std::string> process::files_given_up(const config::configuration& asked) const {
  if (!keeps_within(lockdown_)) return {};
  std::vector<std::string> named;
  gateway::check_files(asked, loop_->wall_now(), named);
  return files_out_of_reach(reach_, named);
}

}  // namespace rw::control
