// `ringward limits` and `limits reset`: the words of the command line, and the gate's answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

struct limits_options {
  static constexpr std::uint32_t top_max = 1000;

  std::string name;              // empty: all
  std::uint32_t top = 10;        // keys; 1 to top_max
  std::vector<std::string> key;  // of `limits reset`, as control/limit_words.h has it
};

// All of these outlive the parsing.
void add_limits(CLI::App& app, limits_options& options, gate_at& gate, int& status);

// ---- of the control thread

// "limits", or with a tab between each: that, a limit's name and how many of its keys. It looks at
// every entry of the limit, some at a time, so that this thread does other things in between.
io::task<admin_answer> list_limits(process& of, std::string_view command);
// "limits reset", a limit's name and the words of a key. `by`: who asked.
admin_answer reset_limit(process& of, std::string_view command, std::string_view by);

}  // namespace rw::control
