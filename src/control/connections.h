// `ringward connections`: the words of the command line, and the gate's answer.
#pragma once

#include <cstdint>
#include <string_view>

#include "control/admin_answer.h"
#include "io/task.h"

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

class process;
struct gate_at;

struct connections_options {
  std::uint32_t limit = 50;  // rows; at most gateway::client_rows_max
  bool oldest = false;
};

// All of these outlive the parsing.
void add_connections(CLI::App& app, connections_options& options, gate_at& gate, int& status);

// Of the control thread: "connections", the number of rows, and "newest" or "oldest", with tabs
// between. Waits until every worker has answered, a second at most.
io::task<admin_answer> list_connections(process& of, std::string_view command);

}  // namespace rw::control
