// Descriptors for tests on the real ring, closed when they go.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace rw::io::test {

class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() { reset(); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int release() noexcept { return std::exchange(fd_, -1); }
  operator int() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

struct pair {
  pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ours = descriptor(fds[0]);
    theirs = descriptor(fds[1]);
    ::fcntl(theirs, F_SETFL, O_NONBLOCK);
  }
  descriptor ours;
  descriptor theirs;  // O_NONBLOCK
};

// A listener on a free port of 127.0.0.1.
struct listener {
  listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, raw(), sizeof address), 0);
    EXPECT_EQ(::listen(fd, 64), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&address); }
  descriptor connect() const {
    descriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(made, raw(), sizeof address), 0);
    ::fcntl(made, F_SETFL, O_NONBLOCK);
    return made;
  }
  sockaddr_in address{};
  descriptor fd;
};

// A connected pair over TCP.
struct tcp_pair : pair {
  tcp_pair() {
    const listener at;
    theirs = at.connect();
    ours = descriptor(::accept4(at.fd, nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_GE(ours, 0);
  }
};

inline std::string take_all(int fd) {
  std::string got;
  char bytes[65536];
  for (ssize_t n; (n = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
    got.append(bytes, static_cast<std::size_t>(n));
  }
  return got;
}

// What the kernel took of it.
inline std::size_t put(int fd, std::string_view bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

// Bytes in which a shift or a swap shows.
inline std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  std::uint32_t x = 12345;
  for (char& c : made) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return made;
}

inline int open_descriptors() {
  int count = 0;
  DIR* all = ::opendir("/proc/self/fd");
  while (::readdir(all) != nullptr) ++count;
  ::closedir(all);
  return count;
}

}  // namespace rw::io::test
