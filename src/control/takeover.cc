#include "control/takeover.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "control/version.h"

namespace rw::control {
namespace {

// For each word of the earlier gate. It may have to wait for its audit log's disk, and for commands
// that are under way.
constexpr time_t patience_s = 20;

}  // namespace

int connect_to_gate(const std::string& path, std::string& why) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    why = "the admin socket's path is too long";
    return -1;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return fd;
  }
  why = fmt::format("no gate answers at {}: {}", path, std::strerror(errno));
  if (fd >= 0) ::close(fd);
  return -1;
}

std::optional<takeover> takeover::begin(const std::string& path, std::string& why) {
  const int fd = connect_to_gate(path, why);
  if (fd < 0) return {};
  const timeval patience{patience_s, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  constexpr std::string_view question = "upgrade\ttake\n";
  std::string text;
  std::optional<handover> given;
  if (::send(fd, question.data(), question.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(question.size())) {
    given = receive_handover(fd, text);
  }
  if (given) return takeover(fd, std::move(*given));
  ::close(fd);
  constexpr std::string_view refusal = "failed\n";
  why = text.starts_with(refusal) ? text.substr(refusal.size()) : "the gate gave no sockets\n";
  if (why.ends_with('\n')) why.pop_back();
  return {};
}

takeover::takeover(takeover&& other) noexcept
    : connection_(std::exchange(other.connection_, -1)), given_(std::move(other.given_)) {
  other.given_.descriptors.clear();
}

takeover::~takeover() {
  if (connection_ >= 0) ::close(connection_);
  for (const handed_descriptor& one : given_.descriptors) ::close(one.fd);
}

net::inherited_sockets takeover::take(handed_descriptor::kind what) {
  std::vector<net::inherited_socket> found;
  std::erase_if(given_.descriptors, [&](handed_descriptor& one) {
    if (one.what != what) return false;
    found.push_back({one.fd, std::move(one.name)});
    return true;
  });
  return net::inherited_sockets(std::move(found));
}

bool takeover::ready(const std::string& audit_path, const std::string& admin_socket) {
  return say(fmt::format("ready\t{}\t{}\t{}\n", version, audit_path, admin_socket), "go\n");
}

bool takeover::serving() { return say("serving\n", "yours\n"); }

bool takeover::say(const std::string& line, std::string_view expected) {
  if (::send(connection_, line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return false;
  }
  std::string answer(expected.size(), '\0');
  std::size_t have = 0;
  while (have < answer.size()) {
    // No octet more: what follows is the audit log's.
    const ssize_t got = ::recv(connection_, answer.data() + have, answer.size() - have, 0);
    // A ring of this thread interrupts what waits for a time.
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    have += static_cast<std::size_t>(got);
  }
  return answer == expected;
}

}  // namespace rw::control
