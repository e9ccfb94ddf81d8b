#include "control/upgrade_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "control/admin_commands.h"
#include "control/json_text.h"
#include "control/privileges.h"
#include "control/takeover.h"
#include "control/version.h"
#include "control/whole_file.h"

namespace rw::control {
namespace {

constexpr std::string_view command_prefix = "upgrade\t";
constexpr std::size_t words_max = 8192;  // of a start that failed, that the gate hears

struct running_gate {
  pid_t pid = 0;
  bool managed = false;  // by a service manager
};

std::optional<running_gate> ask_about(const std::string& socket, std::string& why) {
  const bool answered = ask(socket, std::string(command_prefix) + "about", why);
  const std::size_t tab = why.find('\t');
  const auto pid = parse_u64(std::string_view(why).substr(0, tab));
  if (!answered || tab == std::string::npos || !pid) {
    if (why == "no such command\n") {
      why = "the gate that runs knows no upgrade: it is replaced by a restart\n";
    }
    return {};
  }
  return running_gate{static_cast<pid_t>(*pid), why.substr(tab + 1).starts_with("managed")};
}

// Its control group, as systemd sees it; "" when nobody says.
std::string group_of(const std::string& pid) {
  std::ifstream lines("/proc/" + pid + "/cgroup");
  for (std::string line; std::getline(lines, line);) {
    for (const std::string_view kind : {"0::", "1:name=systemd:"}) {
      if (line.starts_with(kind)) return line.substr(kind.size());
    }
  }
  return {};
}

// For people, or for programs.
int conclude(const gate_at& gate, bool done, const std::string& text) {
  if (gate.json) {
    fmt::print("{}\n", json_object().flag("done", done).put("messages", json_lines(text)).str());
  } else {
    fmt::print(done ? stdout : stderr, "{}", text);
  }
  return done ? 0 : 1;
}

std::string serves_now(pid_t pid, pid_t before) {
  return fmt::format(
      "ringward {} serves, as process {}; process {} ends when what it has under way has\n",
      version, pid, before);
}

int run_program(std::vector<std::string> words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& one : words) arguments.push_back(one.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  if (::posix_spawnp(&pid, arguments.front(), nullptr, nullptr, arguments.data(), environ) != 0) {
    return -1;
  }
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The unit is named by the group its processes are in.
int upgrade_by_manager(const gate_at& gate, const running_gate& before, const std::string& group) {
  const std::string unit = group.substr(group.rfind('/') + 1);
  if (!unit.ends_with(".service")) {
    return conclude(gate, false,
                    fmt::format("error: process {} has a service manager, and is in no unit of "
                                "it that could be reloaded ({})\n",
                                before.pid, group));
  }
  std::string text;
  if (!ask(gate.socket, std::string(command_prefix) + "ask", text)) {
    return conclude(gate, false, "error: " + text);
  }
  std::vector<std::string> words = {"systemctl"};
  if (group.find("/user@") != std::string::npos) words.emplace_back("--user");
  words.insert(words.end(), {"--no-ask-password", "reload", unit});
  const int status = run_program(std::move(words));
  const auto now = ask_about(gate.socket, text);
  if (now && now->pid != before.pid) {
    return conclude(gate, true, serves_now(now->pid, before.pid));
  }
  std::string said;
  ask(gate.socket, std::string(command_prefix) + "said", said);
  std::ranges::replace(said, '\t', '\n');
  while (said.ends_with('\n')) said.pop_back();
  if (!said.empty()) said += '\n';
  return conclude(
      gate, false,
      fmt::format("{}error: `systemctl reload {}` {}: the gate before serves on\n", said, unit,
                  status == 0 ? "started no gate; its ExecReload= has to be `ringward reload`"
                              : "has failed"));
}

// What it says until it serves is for whoever started it, and for the log of the gate before.
class early_words {
 public:
  early_words() : file_(::memfd_create("ringward", MFD_CLOEXEC)) {}
  early_words(const early_words&) = delete;
  early_words& operator=(const early_words&) = delete;
  ~early_words() { ::close(file_); }

  int file() const noexcept { return file_; }
  std::string text() const { return read_open(file_); }

 private:
  int file_;
};

// The gate is nobody's child but init's, which is how a manager gets one that it can watch.
void start_gate(const std::string& socket, const early_words& words, int outcome) {
  const pid_t between = ::fork();
  if (between == 0) {
    if (::fork() != 0) ::_exit(0);
    ::setsid();
    ::dup2(outcome, STDOUT_FILENO);
    ::dup2(words.file(), STDERR_FILENO);
    const int failed = execute_this_program({"run", "--after=" + socket});
    fmt::print(stderr, "ringward: error: cannot be executed: {}\n", std::strerror(failed));
    ::_exit(1);
  }
  while (::waitpid(between, nullptr, 0) < 0 && errno == EINTR) continue;
}

int upgrade_here(const gate_at& gate, pid_t before) {
  const early_words words;
  std::array<int, 2> outcome{};
  if (::pipe2(outcome.data(), O_CLOEXEC) != 0) {
    return conclude(gate, false, fmt::format("error: {}\n", std::strerror(errno)));
  }
  std::fflush(nullptr);
  start_gate(gate.socket, words, outcome[1]);
  ::close(outcome[1]);
  pid_t pid = 0;
  const ssize_t got = ::read(outcome[0], &pid, sizeof pid);
  ::close(outcome[0]);
  if (got == sizeof pid) return conclude(gate, true, serves_now(pid, before));
  std::string said = words.text();
  // For whoever waits for the manager, which shows nobody what its processes say.
  std::string told = said.substr(0, words_max);
  std::ranges::replace(told, '\n', '\t');
  std::string answer;
  ask(gate.socket, std::string(command_prefix) + "failed\t" + told, answer);
  return conclude(gate, false, said + "the gate before serves on\n");
}

}  // namespace

bool upgrade_is_due(const gate_at& gate) {
  const char* pid = std::getenv("MAINPID");
  std::string text;
  return pid != nullptr && ask(gate.socket, std::string(command_prefix) + "due\t" + pid, text);
}

int run_upgrade(const gate_at& gate, bool from_unit) {
  std::string why;
  const auto before = ask_about(gate.socket, why);
  if (!before) return conclude(gate, false, "error: " + why);
  const std::string group = group_of(std::to_string(before->pid));
  const bool elsewhere = before->managed && !from_unit && group != group_of("self");
  if (elsewhere) return upgrade_by_manager(gate, *before, group);
  return upgrade_here(gate, before->pid);
}

void add_upgrade(CLI::App& app, gate_at& gate, int& status) {
  auto* it = app.add_subcommand(
      "upgrade", "Take over from the gate that runs: its sockets, its configuration as it is now");
  add_gate_options(*it, gate);
  it->footer(fmt::format("Example: ringward upgrade --socket {}", default_socket));
  it->callback([&] { status = run_upgrade(gate, false); });
}

}  // namespace rw::control
