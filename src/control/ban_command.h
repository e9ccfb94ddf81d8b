// `ringward ban`, `unban` and `bans`: the words of the command line.
#pragma once

#include <string>

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

struct gate_at;

struct ban_options {
  std::string address;
  std::string time;  // "24h"; empty: as the configuration says
};

// All of these outlive the parsing.
void add_ban(CLI::App& app, ban_options& options, gate_at& gate, int& status);

}  // namespace rw::control
