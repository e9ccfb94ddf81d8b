// `ringward log level`: the words of the command line, and what the gate does with them.
#pragma once

#include <string>
#include <string_view>

// NOLINTBEGIN(readability-identifier-naming): the library's names
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)

namespace rw::control {

class process;
struct admin_answer;
struct gate_at;

// `level` and the others outlive the parsing; "": only say which it is.
void add_log(CLI::App& app, std::string& level, gate_at& gate, int& status);

// "log level", or "log level" and a tab and a level. Of the control thread. `by`: who asked.
admin_answer log_level(process& of, std::string_view command, std::string_view by);

}  // namespace rw::control
