#include "net/listening_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "io/ring.h"
#include "net/address.h"

namespace rw::net {
namespace {

constexpr int backlog = 4096;  // the kernel caps it at net.core.somaxconn
constexpr std::chrono::milliseconds between_tries{10};

void set(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

result<int> bound(const config::address& where, bool share, const bind_helper& helper) {
  const int fd = ::socket(where.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure(io::kernel_error(errno, origin::configuration));
  if (where.what == config::address::kind::ip) {
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (share) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (where.socket.ss_family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // inherited by what is accepted
  }
  if (const int why = helper.bind(fd, where.raw(), where.length); why != 0) {
    ::close(fd);
    return failure(io::kernel_error(why, origin::configuration));
  }
  return fd;
}

// A socket file nobody listens on any more is in the way of its own successor.
void remove_stale(const config::address& where) {
  const auto& path = reinterpret_cast<const sockaddr_un&>(where.socket).sun_path;
  struct stat at{};
  if (::lstat(path, &at) != 0 || !S_ISSOCK(at.st_mode)) return;
  // Never waits: a listener whose queue is full is one all the same.
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  if (::connect(fd, where.raw(), where.length) != 0 && errno == ECONNREFUSED) ::unlink(path);
  ::close(fd);
}

// The one bind that shows whether anybody has the address.
result<int> first_bound(const config::address& where, mode_t mode, nanoseconds patience,
                        const bind_helper& helper) {
  const bool is_unix = where.what == config::address::kind::unix_path;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (is_unix) remove_stale(where);
    const mode_t before = is_unix ? ::umask(0777 & ~mode) : 0;
    result<int> made = bound(where, false, helper);
    if (is_unix) ::umask(before);
    const bool in_use = !made && made.error().os == EADDRINUSE;
    if (!in_use || std::chrono::steady_clock::now() >= deadline) return made;
    std::this_thread::sleep_for(between_tries);
  }
}

std::string text_of(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  const endpoint bound_to = to_endpoint(at);
  const endpoint_text ip(bound_to.ip);
  const bool v6 = ip.view().find(':') != std::string_view::npos;
  std::string name = v6 ? "[" : "";
  name.append(ip.view());
  name.append(v6 ? "]:" : ":").append(std::to_string(bound_to.port));
  return name;
}

}  // namespace

result<listening_sockets> listening_sockets::open(const config::address& where, unsigned count,
                                                  mode_t mode, nanoseconds patience,
                                                  const bind_helper& helper) {
  listening_sockets made;
  const bool is_unix = where.what == config::address::kind::unix_path;
  config::address at = where;
  // Of an IP address a probe: closed again before the shared ones are bound.
  const result<int> first = first_bound(at, mode, patience, helper);
  if (!first) return failure(first.error());
  if (is_unix) {
    made.fds_.push_back(*first);
    made.unix_path_ = reinterpret_cast<const sockaddr_un&>(where.socket).sun_path;
    made.name_ = "unix:" + made.unix_path_;
  } else {
    socklen_t size = sizeof at.socket;
    ::getsockname(*first, reinterpret_cast<sockaddr*>(&at.socket), &size);
    made.name_ = text_of(*first);
    ::close(*first);
    for (unsigned i = 0; i < count; ++i) {
      const result<int> fd = bound(at, true, helper);
      if (!fd) return failure(fd.error());
      made.fds_.push_back(*fd);
    }
  }
  for (int fd : made.fds_) {
    if (::listen(fd, backlog) != 0) return failure(io::kernel_error(errno, origin::configuration));
  }
  made.listening_ = made.fds_.size();
  return made;
}

listening_sockets listening_sockets::adopt(const config::address& where, unsigned count,
                                           std::vector<int> fds, const bind_helper& helper) {
  listening_sockets made;
  made.owns_path_ = false;
  made.fds_ = std::move(fds);
  made.listening_ = made.fds_.size();
  for (int fd : made.fds_) {
    // The ring does not wait on what is O_NONBLOCK, which a manager may have made it.
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  }
  if (where.what == config::address::kind::unix_path) {
    made.unix_path_ = reinterpret_cast<const sockaddr_un&>(where.socket).sun_path;
    made.name_ = "unix:" + made.unix_path_;
    return made;
  }
  made.name_ = text_of(made.fds_.front());
  config::address at = where;
  socklen_t size = sizeof at.socket;
  ::getsockname(made.fds_.front(), reinterpret_cast<sockaddr*>(&at.socket), &size);
  for (int fd : made.fds_) set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  while (made.fds_.size() < count) {
    const result<int> more = bound(at, true, helper);
    if (!more) break;
    made.fds_.push_back(*more);
  }
  return made;
}

void listening_sockets::listen() noexcept {
  while (listening_ < fds_.size()) {
    if (::listen(fds_[listening_], backlog) == 0) {
      ++listening_;
      continue;
    }
    // Workers share the others.
    ::close(fds_.back());
    fds_.pop_back();
  }
}

std::vector<int> listening_sockets::of(unsigned worker, unsigned workers) const {
  if (fds_.size() < workers) return {fd(worker)};
  std::vector<int> some;
  for (std::size_t i = worker; i < fds_.size(); i += workers) some.push_back(fds_[i]);
  return some;
}

listening_sockets::listening_sockets(listening_sockets&& other) noexcept
    : fds_(std::exchange(other.fds_, {})),
      listening_(std::exchange(other.listening_, 0)),
      name_(std::move(other.name_)),
      unix_path_(std::exchange(other.unix_path_, {})),
      owns_path_(other.owns_path_) {}

listening_sockets& listening_sockets::operator=(listening_sockets&& other) noexcept {
  std::swap(fds_, other.fds_);
  std::swap(listening_, other.listening_);
  std::swap(name_, other.name_);
  std::swap(unix_path_, other.unix_path_);
  std::swap(owns_path_, other.owns_path_);
  return *this;
}

listening_sockets::~listening_sockets() {
  for (int fd : fds_) ::close(fd);
  if (owns_path_ && !unix_path_.empty()) ::unlink(unix_path_.c_str());
}

}  // namespace rw::net
