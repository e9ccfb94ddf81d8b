#include "control/log_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "control/admin_answer.h"
#include "control/admin_commands.h"
#include "control/json_text.h"
#include "control/process.h"

namespace rw::control {
namespace {

constexpr std::string_view words = "log level";

}  // namespace

void add_log(CLI::App& app, std::string& level, gate_at& gate, int& status) {
  auto* log = app.add_subcommand("log", "The program's own messages");
  log->require_subcommand(1);
  log->footer("Example: ringward log level debug");
  auto* it = log->add_subcommand("level", "Which of them are written, or are to be from now on");
  it->add_option("LEVEL", level, "error, warning, info or debug; without, it is only said")
      ->check(CLI::IsMember({"error", "warning", "info", "debug"}));
  add_gate_options(*it, gate);
  it->footer("Example: ringward log level debug");
  it->callback([&] {
    status = tell(gate, level.empty() ? std::string(words) : fmt::format("{}\t{}", words, level));
  });
}

admin_answer log_level(process& of, std::string_view command, std::string_view by) {
  command.remove_prefix(words.size());
  if (!command.empty()) {
    const std::string_view wanted = command.substr(1);
    const auto level = observe::level_named(wanted);
    if (level) of.set_log_level(*level);
    of.audit().admin(level.has_value(), "log_level", wanted, by);
    if (!level) return {.done = false, .text = "no such level\n", .json = {}};
  }
  return {.done = true,
          .text = of.log_level() + "\n",
          .json = json_object()
                      .text("level", observe::name_of(of.log().most()))
                      .text("configured", observe::name_of(of.configured_log_level()))
                      .str()};
}

}  // namespace rw::control
