// `ringward top`: what a gate does, live in the terminal, or once for a script.
#pragma once

#include <string>

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

struct gate_at;

struct top_options {
  double interval = 1;  // seconds between two samples
  bool once = false;
  std::string sort = "REQ/S";  // the title of a column
};

// All of these outlive the parsing.
void add_top(CLI::App& app, top_options& options, gate_at& gate, int& status);

}  // namespace rw::control
