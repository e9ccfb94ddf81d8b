#include "control/lockdown_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "config/address.h"
#include "config/load.h"
#include "control/lockdown.h"
#include "gateway/snapshot_files.h"
#include "io/capability.h"
#include "io/restrictions.h"

namespace rw::control {
namespace {

// 0, or the errno.
int code_of(long result) noexcept { return result < 0 ? errno : 0; }

int open_file(const char* path, int flags) noexcept {
  const int fd = ::open(path, flags | O_CLOEXEC);
  const int code = code_of(fd);
  if (fd >= 0) ::close(fd);
  return code;
}

int run_program(const std::string& path) noexcept {
  std::string name = path;
  std::array<char*, 2> words = {name.data(), nullptr};
  return code_of(::execv(path.c_str(), words.data()));
}

int use_socket(std::string_view address, decltype(&::connect) how) noexcept {
  const result<config::address> at = config::parse_address(address);
  if (!at || at->what == config::address::kind::host_name) return EINVAL;
  const int fd = ::socket(at->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int code = code_of(how(fd, at->raw(), at->length));
  ::close(fd);
  return code;
}

// What came of it: 0, or the errno. Nothing for words that nobody understands.
std::optional<int> attempt(std::string_view what) {
  const std::size_t colon = std::min(what.find(':'), what.size());
  const std::string_view verb = what.substr(0, colon);
  const std::string object(what.substr(std::min(colon + 1, what.size())));
  const auto number = parse_u64(object);
  if (verb == "open") return open_file(object.c_str(), O_RDONLY);
  if (verb == "write") return open_file(object.c_str(), O_WRONLY);
  if (verb == "exec") return run_program(object);
  if (verb == "connect") return use_socket(object, &::connect);
  if (verb == "bind") return use_socket(object, &::bind);
  if (verb == "signal" && number) return code_of(::kill(static_cast<pid_t>(*number), 0));
  if (verb == "ring") {
    const auto made = io::ring::create(8);
    return made ? 0 : made.error().os;
  }
  return {};
}

void print(const lockdown_parts& parts, const reach& to) {
  for (const ledger_entry& one : parts) {
    fmt::print("{:<14}{}{}{}\n", one.what, one.is, one.cost.empty() ? "" : "; ", one.cost);
  }
  for (const std::string& one : to.reads) fmt::print("{:<14}{}\n", "reads", one);
  for (const std::string& one : to.writes) fmt::print("{:<14}{}\n", "writes", one);
  for (const std::string& one : to.sockets) fmt::print("{:<14}{}\n", "removes in", one);
}

}  // namespace

int run_lockdown(const lockdown_options& options) {
  config::examined read = config::examine(options.config);
  if (config::has_error(read.problems)) {
    fmt::print(stderr,
               "note: {} is not in order (`ringward check`): what it names is left out below\n",
               options.config);
  }
  auto kernel = io::ring::create(64);
  if (!kernel) {
    fmt::print(stderr, "ringward: error: {}\n", io::explain_refusal(kernel.error()));
    return 1;
  }
  std::vector<std::string> files;
  const auto now = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
  gateway::check_files(read.settings, now, files);
  const reach to = reach_of(options.config, read.settings, files);
  lockdown_parts parts = lock_down(to, **kernel);
  constexpr std::string_view operation = "operation:";
  std::optional<int> code;
  if (options.attempt.starts_with(operation)) {
    // It takes a ring, and lock_rings() has none made.
    const auto number = parse_u64(std::string_view(options.attempt).substr(operation.size()));
    if (number) {
      const auto which = static_cast<std::uint8_t>(*number);
      code = io::attempt_operation(which) == -EACCES ? EACCES : 0;
    }
  }
  parts.push_back(lock_rings());
  if (options.attempt.empty()) {
    print(parts, to);
    return 0;
  }
  if (!code) code = attempt(options.attempt);
  if (!code) {
    fmt::print(stderr, "ringward: error: nobody knows how to try '{}'\n", options.attempt);
    return 2;
  }
  fmt::print("{}: {}\n", options.attempt,
             *code == 0 ? "not refused" : fmt::format("refused: {}", std::strerror(*code)));
  return *code == 0 ? 1 : 0;
}

}  // namespace rw::control
