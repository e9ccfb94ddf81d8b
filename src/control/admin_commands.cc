#include "control/admin_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "control/upgrade_command.h"

namespace rw::control {
namespace {

// A line is a header, or a bare key or token.
void take_credential(std::string_view line, asked_request& asked) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, std::min(colon, line.size()));
  if (colon != std::string_view::npos && iequals(name, "authorization")) {
    asked.authorization = trim_ows(line.substr(colon + 1));
  } else if (colon != std::string_view::npos && iequals(name, "x-api-key")) {
    asked.api_key = trim_ows(line.substr(colon + 1));
  } else if (std::ranges::count(line, '.') == 2) {
    asked.authorization = "Bearer " + std::string(trim_ows(line));
  } else {
    asked.api_key = trim_ows(line);
  }
}

int explain(admin_options& options) {
  asked_request& asked = options.asked;
  if (::isatty(STDIN_FILENO) != 1) {
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty()) take_credential(line, asked);
    }
  }
  const std::string command = to_command(asked);
  // The gate cuts at tabs and at the end of the line.
  if (!from_command(command) || command.find_first_of("\n\r") != std::string::npos) {
    fmt::print(stderr, "ringward: error: nothing of a request has a control character\n");
    return 2;
  }
  return tell(options.gate, command);
}

void add_explain(CLI::App& app, admin_options& options, int& status) {
  auto* it = app.add_subcommand(
      "explain", "What would become of a request: route, credential, limits, upstream");
  asked_request& asked = options.asked;
  it->add_option("--method", asked.method, "Its method")->capture_default_str();
  it->add_option("--path", asked.path, "Its path")->capture_default_str();
  it->add_option("--host", asked.host, "Its Host");
  it->add_option("--address", asked.address, "Its client's address; without, no ban or country");
  it->add_option("--listener", asked.listener, "Where it comes in; without, the first");
  add_gate_options(*it, options.gate);
  it->footer("Example: ringward explain --path /v1/things < key.txt");
  it->callback([&] { status = explain(options); });
}

}  // namespace

void add_gate_options(CLI::App& it, gate_at& gate) {
  it.add_option("--socket", gate.socket, "The gate's admin socket")->capture_default_str();
  it.add_flag("--json", gate.json, "Answer in JSON, on standard output");
}

void add_admin_commands(CLI::App& app, admin_options& options, int& status) {
  for (const auto& [name, text] :
       {std::pair{"status", "What a running gate is doing"},
        std::pair{"upstreams", "The servers behind it: which get requests, and why others do not"},
        std::pair{"reload", "Take the changed configuration; an error keeps the old one"},
        std::pair{"reopen", "Open the log files anew, after they were rotated"}}) {
    auto* it = app.add_subcommand(name, text);
    add_gate_options(*it, options.gate);
    const std::string command = name;
    if (command == "reload") {
      it->add_flag("--explain", options.explain, "Say what would change, and take nothing");
    }
    it->footer(fmt::format("Example: ringward {} --socket {}", name, default_socket));
    it->callback([&status, &options, command] {
      if (command == "reload" && !options.explain && upgrade_is_due(options.gate)) {
        status = run_upgrade(options.gate, true);
        return;
      }
      status = tell(options.gate, options.explain ? command + "\texplain" : command);
    });
  }
  for (const auto& [verb, text] :
       {std::pair{"drain", "Send a server no new requests; those under way finish"},
        std::pair{"undrain", "Send it requests again"}}) {
    auto* it = app.add_subcommand(verb, text);
    it->add_option("SERVER", options.server, "As `ringward upstreams` calls it")->required();
    add_gate_options(*it, options.gate);
    it->footer(fmt::format("Example: ringward {} 127.0.0.1:5001", verb));
    it->callback([&status, &options, command = std::string(verb) + " "] {
      status = tell(options.gate, command + options.server);
    });
  }
  add_explain(app, options, status);
}

}  // namespace rw::control
