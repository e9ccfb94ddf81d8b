#include "socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rw::bench {

namespace {

address unix_address(std::string_view path) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof local.sun_path) die("unix path empty or too long");
  std::memcpy(local.sun_path, path.data(), path.size());
  address out;
  std::memcpy(&out.storage, &local, sizeof local);
  out.size = sizeof local;
  return out;
}

const char* unix_path(const address& where) {
  return reinterpret_cast<const sockaddr_un*>(&where.storage)->sun_path;
}

}  // namespace

void die(std::string_view what, int error) {
  std::fprintf(stderr, "%.*s%s%s\n", static_cast<int>(what.size()), what.data(),
               error != 0 ? ": " : "", error != 0 ? std::strerror(error) : "");
  std::exit(1);
}

address parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return unix_address(text.substr(5));
  if (text.starts_with('/')) return unix_address(text);
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) die("address without a port: " + std::string(text));
  std::string host(text.substr(0, colon));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port(text.substr(colon + 1));
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    die("not an IP:port, [IP6]:port or unix:/path: " + std::string(text));
  }
  address out;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.size = found->ai_addrlen;
  freeaddrinfo(found);
  return out;
}

int socket_for(const address& where) {
  const int family = where.storage.ss_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket", errno);
  const int on = 1;
  if (family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

int listen_on(const address& where) {
  const int fd = socket_for(where);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (where.storage.ss_family == AF_UNIX) {
    struct stat there{};
    if (lstat(unix_path(where), &there) == 0 && S_ISSOCK(there.st_mode)) unlink(unix_path(where));
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&where.storage), where.size) != 0) {
    die("bind", errno);
  }
  if (listen(fd, 4096) != 0) die("listen", errno);
  return fd;
}

void announce(int listening) {
  address bound;
  bound.size = sizeof bound.storage;
  if (getsockname(listening, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) != 0) {
    die("getsockname", errno);
  }
  if (bound.storage.ss_family == AF_UNIX) {
    std::printf("listening unix:%s\n", unix_path(bound));
  } else {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    getnameinfo(reinterpret_cast<sockaddr*>(&bound.storage), bound.size, host.data(), host.size(),
                port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
    const bool v6 = bound.storage.ss_family == AF_INET6;
    std::printf(v6 ? "listening [%s]:%s\n" : "listening %s:%s\n", host.data(), port.data());
  }
  std::fflush(stdout);
}

int stop_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  if (sigprocmask(SIG_BLOCK, &stop, nullptr) != 0) die("sigprocmask", errno);
  const int fd = signalfd(-1, &stop, SFD_CLOEXEC);
  if (fd < 0) die("signalfd", errno);
  return fd;
}

}  // namespace rw::bench
