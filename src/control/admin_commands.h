// The commands that ask a running gate, or tell it something: all but those that
// have a file of their own, as ban_command.h.
#pragma once

#include <string>

#include "control/admin_socket.h"
#include "control/request_explain.h"

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

// What the options were set to; of the caller, who keeps it until the command line is parsed.
struct admin_options {
  gate_at gate;
  std::string server;
  bool explain = false;
  asked_request asked;
};

// `--socket` and `--json`, which each such command has.
void add_gate_options(CLI::App& it, gate_at& gate);

// `status` gets the exit status when the callback runs.
void add_admin_commands(CLI::App& app, admin_options& options, int& status);

}  // namespace rw::control
