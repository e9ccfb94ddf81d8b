// `ringward revoke`, `unrevoke` and `revoked`: the words of the command line.
#pragma once

#include <chrono>
#include <string>

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

struct gate_at;

struct revoke_options {
  std::string what;
  std::string id;
  std::string issuer;
  std::string time;  // "24h"; empty: until it is taken back
};

// All of these outlive the parsing.
void add_revoke(CLI::App& app, revoke_options& options, gate_at& gate, int& status);

}  // namespace rw::control
