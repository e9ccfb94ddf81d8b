// `ringward upgrade`: this program takes over from the gate that runs.
#pragma once

#include <string>

#include "control/admin_socket.h"

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

// Becomes a gate, in a process of its own that this one is not the parent of, by the configuration
// that the gate at `gate.socket` was started with, and says what came of it. A gate that has a
// service manager is replaced by having the manager reload its unit, which starts the new process
// where the unit's processes have to be; `from_unit`: this is that process. Blocks until the new
// gate serves or has failed. The exit status.
int run_upgrade(const gate_at& gate, bool from_unit);

// Whether this is a process that the manager has started to reload its unit while somebody waits
// for an upgrade: then it is to run_upgrade().
bool upgrade_is_due(const gate_at& gate);

// `status` gets the exit status when the callback runs.
void add_upgrade(CLI::App& app, gate_at& gate, int& status);

}  // namespace rw::control
