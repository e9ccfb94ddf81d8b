// `ringward profile`: the words of the command line, and the gate's answer.
#pragma once

#include <string_view>

#include "control/admin_answer.h"
#include "io/task.h"

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::net {
class stream;
}

namespace rw::control {

class process;
struct gate_at;

struct profile_options {
  static constexpr unsigned seconds_max = 60;
  unsigned seconds = 5;  // 1 at least
};

// All of these outlive the parsing.
void add_profile(CLI::App& app, profile_options& options, gate_at& gate, int& status);

// Of the control thread: "profile", a tab, and for how many seconds. Waits so long, while a worker
// that works is sampled. One at a time. It ends when its client goes, the gate stops, or another
// one takes over. `command` may lie in the client's input: it is read before anything is waited
// for.
io::task<admin_answer> take_profile(process& of, net::stream& client, std::string_view command);

}  // namespace rw::control
