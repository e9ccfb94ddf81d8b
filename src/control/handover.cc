#include "control/handover.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/text.h"
#include "net/passed_descriptors.h"

namespace rw::control {
namespace {

using kind = handed_descriptor::kind;

constexpr std::string_view first_line = "ringward handover 1\n";
constexpr std::array<std::string_view, 3> kinds = {"listener", "admin", "output"};

std::optional<kind> kind_named(std::string_view name) noexcept {
  const auto found = std::ranges::find(kinds, name);
  if (found == kinds.end()) return {};
  return static_cast<kind>(found - kinds.begin());
}

bool wait_for(int fd, short events) {
  constexpr int patience_ms = 1000;
  pollfd at{fd, events, 0};
  return ::poll(&at, 1, patience_ms) == 1;
}

// All of `text`, with `fds` at its first octet.
bool send_piece(int to, std::string_view text, std::span<const int> fds) {
  while (!text.empty()) {
    const ssize_t sent = net::send_passing(to, text, fds, MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN && wait_for(to, POLLOUT)) continue;
    if (sent < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
    fds = {};
  }
  return true;
}

// False: at the end of what comes, or of the patience.
bool receive_piece(int from, std::string& text, std::vector<int>& fds) {
  std::array<char, 16384> bytes;
  const ssize_t got = net::receive_passed(from, bytes, fds);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  text.append(bytes.data(), static_cast<std::size_t>(got));
  return true;
}

bool take_member(handover& into, std::string_view line) {
  const std::string_view key = cut(line, '\t');
  if (key == "configuration") {
    into.configuration = line;
  } else if (key == "directory") {
    into.directory = line;
  } else if (key == "manager") {
    into.manager = line;
  } else if (key == "watchdog" || key == "upgrades") {
    const auto number = parse_u64(line);
    if (!number || *number > INT64_MAX) return false;
    if (key == "upgrades") into.upgrades = *number;
    if (key == "watchdog") into.watchdog = nanoseconds{static_cast<std::int64_t>(*number)};
  } else {
    const auto what = kind_named(key);
    if (!what || into.descriptors.size() == handover::descriptors_max) return false;
    into.descriptors.push_back({*what, std::string(line), -1});
  }
  return true;
}

}  // namespace

std::string text_of(const handover& what) {
  std::string text(first_line);
  text += fmt::format("configuration\t{}\ndirectory\t{}\nmanager\t{}\nwatchdog\t{}\nupgrades\t{}\n",
                      what.configuration, what.directory, what.manager, what.watchdog.count(),
                      what.upgrades);
  for (const handed_descriptor& one : what.descriptors) {
    text += fmt::format("{}\t{}\n", kinds.at(static_cast<std::size_t>(one.what)), one.name);
  }
  return text + "\n";
}

std::optional<handover> parse_handover(std::string_view text) {
  if (!text.starts_with(first_line) || !text.ends_with("\n\n")) return {};
  text.remove_prefix(first_line.size());
  text.remove_suffix(1);
  handover found;
  while (!text.empty()) {
    if (!take_member(found, cut(text, '\n'))) return {};
  }
  if (!found.configuration.starts_with('/')) return {};
  return found;
}

bool send_handover(int to, const handover& what) {
  if (what.descriptors.size() > handover::descriptors_max) return false;
  std::vector<int> fds;
  fds.reserve(what.descriptors.size());
  for (const handed_descriptor& one : what.descriptors) fds.push_back(one.fd);
  const std::string text = text_of(what);
  std::string_view left = text;
  for (std::span<const int> rest(fds); !rest.empty();) {
    const std::span<const int> some = rest.first(std::min(rest.size(), net::passed_at_once));
    rest = rest.subspan(some.size());
    // An octet for each piece is enough: the kernel keeps them apart.
    if (!send_piece(to, left.substr(0, 1), some)) return false;
    left.remove_prefix(1);
  }
  return send_piece(to, left, {});
}

std::optional<handover> receive_handover(int from, std::string& text) {
  std::vector<int> fds;
  bool more = true;
  while (more && !text.ends_with("\n\n") && text.size() < handover::bytes_max) {
    more = receive_piece(from, text, fds);
  }
  std::optional<handover> found = more ? parse_handover(text) : std::nullopt;
  if (found && found->descriptors.size() == fds.size()) {
    for (std::size_t i = 0; i < fds.size(); ++i) found->descriptors[i].fd = fds[i];
    return found;
  }
  for (const int fd : fds) ::close(fd);
  return {};
}

}  // namespace rw::control
