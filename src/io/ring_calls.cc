// The system calls of the border that need no waiting, and so no ring.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/phase.h"
#include "io/ring.h"

namespace rw::io {
namespace {

// SPLICE_F_NONBLOCK is for the pipe: whether the socket waits is up to its O_NONBLOCK, which ours
// do not have, since the ring would then answer EAGAIN where it is to wait. Nothing is issued in
// between: operations run in enter() alone.
std::int32_t splice_without_waiting(int from, int to, int socket, std::size_t bytes) noexcept {
  const phase_scope about(phase::kernel);
  int on = 1;
  int off = 0;
  ::ioctl(socket, FIONBIO, &on);
  const ssize_t moved = ::splice(from, nullptr, to, nullptr, bytes, SPLICE_F_NONBLOCK);
  const int code = errno;
  ::ioctl(socket, FIONBIO, &off);
  return moved < 0 ? -code : static_cast<std::int32_t>(moved);
}

}  // namespace

result<int> ring::open_stream_socket(int family) {
  const phase_scope about(phase::kernel);
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure(kernel_error(errno, origin::local));
  return fd;
}

result<sockaddr_storage> ring::peer_address(int fd) {
  const phase_scope about(phase::kernel);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return failure(kernel_error(errno, origin::downstream));
  }
  return address;
}

result<sockaddr_storage> ring::local_address(int fd) {
  const phase_scope about(phase::kernel);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return failure(kernel_error(errno, origin::downstream));
  }
  return address;
}

void ring::set_no_delay(int fd) {
  const phase_scope about(phase::kernel);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // unix sockets refuse: no matter
}

void ring::watch_peer(int fd, const liveness& how) noexcept {
  const phase_scope about(phase::kernel);
  const auto set = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(how.idle.count()));
  set(IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(how.between.count()));
  set(IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(how.probes));
  bound_unacknowledged(fd, how.unacknowledged);
}

void ring::bound_unacknowledged(int fd, std::chrono::milliseconds at_most) noexcept {
  const phase_scope about(phase::kernel);
  const auto value = static_cast<unsigned>(at_most.count());
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

result<pipe_ends> ring::open_pipe(std::size_t bytes) {
  const phase_scope about(phase::kernel);
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return failure(kernel_error(errno, origin::local));
  }
  ::fcntl(fds[1], F_SETPIPE_SZ, static_cast<int>(bytes));  // refused beyond the user's share
  const int granted = ::fcntl(fds[1], F_GETPIPE_SZ);
  return pipe_ends{fds[0], fds[1], static_cast<std::size_t>(std::max(granted, 0))};
}

std::int32_t ring::splice_in(int socket, const pipe_ends& to, std::size_t bytes) noexcept {
  return splice_without_waiting(socket, to.write, socket, bytes);
}

std::int32_t ring::splice_out(const pipe_ends& from, int socket, std::size_t bytes) noexcept {
  const std::int32_t moved = splice_without_waiting(from.read, socket, socket, bytes);
  // Before 6.5 every page but the pipe's last goes into the queue without a push; the kernel's TLS
  // does not make up for it when the queue is full before that last one. With nothing in flight,
  // whose acknowledgement would, it stays there: setting what is set already is a push.
  if (moved < static_cast<std::int64_t>(bytes)) set_no_delay(socket);
  return moved;
}

bool ring::has_input(int fd) noexcept {
  const phase_scope about(phase::kernel);
  char one = 0;
  return ::recv(fd, &one, sizeof one, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

std::size_t ring::unacknowledged(int fd) noexcept {
  const phase_scope about(phase::kernel);
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

nanoseconds ring::round_trip(int fd) noexcept {
  const phase_scope about(phase::kernel);
  tcp_info known{};
  socklen_t size = sizeof known;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &known, &size) != 0) return nanoseconds{0};
  return std::chrono::microseconds{known.tcpi_rtt};
}

void ring::shutdown_write(int fd) noexcept {
  const phase_scope about(phase::kernel);
  ::shutdown(fd, SHUT_WR);
}

void ring::shutdown(int fd) noexcept {
  const phase_scope about(phase::kernel);
  ::shutdown(fd, SHUT_RDWR);
}

void ring::close(int fd) noexcept {
  const phase_scope about(phase::kernel);
  ::close(fd);
}

void ring::reset(int fd) noexcept {
  const phase_scope about(phase::kernel);
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

mono_time ring::now() const noexcept {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::steady_clock::now());
}

wall_time ring::wall_now() const noexcept {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

nanoseconds ring::thread_time() const noexcept {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + nanoseconds{used.tv_nsec};
}

}  // namespace rw::io
