// A small_server on a free port and clients of it.
#pragma once

#include <arpa/inet.h>

#include <cerrno>
#include <list>
#include <string>

#include "../net/stream_world.h"
#include "control/small_server.h"

namespace rw::control::test {

using net::test::outcome;
using std::chrono::seconds;

inline net::listening_sockets free_port() {
  auto made = net::listening_sockets::open(*config::parse_address("127.0.0.1:0"), 1);
  EXPECT_TRUE(made);
  return std::move(*made);
}

class ServerTest : public net::test::StreamTest {
 protected:
  virtual small_server& server() = 0;
  virtual void destroy() = 0;

  void TearDown() override {
    stop();
    clients_.clear();
    destroy();
    StreamTest::TearDown();
  }
  void stop() {
    if (stopped_) return;
    stopped_ = true;
    outcome<bool> done;
    start(stop_it(server()), done);
    EXPECT_TRUE(until([&] { return done.done(); }));
  }
  static io::task<bool> stop_it(small_server& one) {
    co_await one.stop();
    co_return true;
  }

  // A client from `ip`, one of 127.0.0.0/8.
  int connect(const char* ip = "127.0.0.1") {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    ::inet_pton(AF_INET, ip, &own.sin_addr);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    const config::address to = *config::parse_address(server().name());
    EXPECT_EQ(::connect(fd, to.raw(), to.length), 0);
    clients_.emplace_back(fd);
    return fd;
  }
  void disconnect(int fd) {
    std::erase_if(clients_, [fd](const io::test::descriptor& one) { return one == fd; });
  }
  // Everything up to the end of the stream, or up to `bytes`.
  std::string read(int fd, std::size_t bytes = SIZE_MAX) {
    std::string got;
    EXPECT_TRUE(until([&] {
      char some[4096];
      ssize_t n = 0;
      while ((n = ::recv(fd, some, sizeof some, MSG_DONTWAIT)) > 0) {
        got.append(some, static_cast<std::size_t>(n));
      }
      return got.size() >= bytes || n == 0 || (n < 0 && errno != EAGAIN);
    })) << got;
    return got;
  }

  std::list<io::test::descriptor> clients_;
  bool stopped_ = false;
};

}  // namespace rw::control::test
