#include "net/bind_helper.h"

#include <fcntl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "net/passed_descriptors.h"

namespace rw::net {
namespace {

constexpr const char* variable = "RINGWARD_BIND_HELPER";
constexpr timeval patience{5, 0};

// A message is an address and a socket, its answer the errno.
[[noreturn]] void help(int with) {
  sockaddr_storage where{};
  std::vector<int> sockets;
  for (;;) {
    const ssize_t got =
        receive_passed(with, {reinterpret_cast<char*>(&where), sizeof where}, sockets);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || sockets.size() != 1) ::_exit(0);
    const int failed = ::bind(sockets.front(), reinterpret_cast<const sockaddr*>(&where),
                              static_cast<socklen_t>(got)) == 0
                           ? 0
                           : errno;
    ::close(sockets.front());
    sockets.clear();
    if (::send(with, &failed, sizeof failed, MSG_NOSIGNAL) != sizeof failed) ::_exit(0);
  }
}

// It holds nothing of what the process has open, and outlives what its group is sent: it ends when
// nobody can ask it any more.
bool let_go_of_all_but(int fd) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  const auto kept = static_cast<unsigned>(fd);
  return (kept == 0 || ::close_range(0, kept - 1, 0) == 0) &&
         ::close_range(kept + 1, UINT_MAX, 0) == 0;
}

// A ring of this thread interrupts what waits for a time.
ssize_t answer_from(int socket, int& answer) {
  ssize_t got = 0;
  do {
    got = ::recv(socket, &answer, sizeof answer, 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

bind_helper bind_helper::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  bind_helper made(ends[0]);
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const pid_t between = ::fork();
  if (between == 0) {
    const pid_t helper = ::fork();
    if (helper != 0) ::_exit(helper < 0 ? errno : 0);
    if (!let_go_of_all_but(ends[1])) ::_exit(1);
    help(ends[1]);
  }
  int failed = between < 0 ? errno : 0;
  ::close(ends[1]);
  int status = 0;
  while (between > 0 && ::waitpid(between, &status, 0) < 0 && errno == EINTR) continue;
  if (between > 0) failed = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
  if (failed == 0) return made;
  errno = failed;
  return {};
}

bind_helper bind_helper::from_environment() {
  const char* text = std::getenv(variable);
  const auto number = parse_u64(text == nullptr ? "" : text);
  ::unsetenv(variable);
  if (!number || *number > INT_MAX) return {};
  const int fd = static_cast<int>(*number);
  int kind = 0;
  socklen_t size = sizeof kind;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 || kind != SOCK_SEQPACKET) return {};
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return bind_helper(fd);
}

void bind_helper::leave_to_next() {
  const int fd = std::exchange(socket_, -1);
  ::fcntl(fd, F_SETFD, 0);
  ::setenv(variable, std::to_string(fd).c_str(), 1);
}

int bind_helper::bind(int fd, const sockaddr* where, socklen_t length) const {
  if (::bind(fd, where, length) == 0) return 0;
  if (errno != EACCES || socket_ < 0 || where->sa_family == AF_UNIX) return errno;
  int answer = EACCES;
  if (send_passing(socket_, {reinterpret_cast<const char*>(where), length}, {&fd, 1}, 0) > 0 &&
      answer_from(socket_, answer) == sizeof answer) {
    return answer;
  }
  // Gone, or so late that its answer would be taken for that to the next one.
  ::shutdown(socket_, SHUT_RDWR);
  return EACCES;
}

void bind_helper::end() noexcept {
  if (socket_ < 0) return;
  ::shutdown(socket_, SHUT_WR);
  int nothing = 0;
  while (answer_from(socket_, nothing) > 0) continue;
  ::close(std::exchange(socket_, -1));
}

bind_helper::bind_helper(bind_helper&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)) {}

bind_helper& bind_helper::operator=(bind_helper&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}

bind_helper::~bind_helper() {
  if (socket_ >= 0) ::close(socket_);
}

}  // namespace rw::net
