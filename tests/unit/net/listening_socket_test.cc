#include "net/listening_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>
#include <set>

#include "../io/sockets.h"

namespace rw::net {
namespace {

using io::test::descriptor;

config::address address(const std::string& text) {
  const auto parsed = config::parse_address(text);
  EXPECT_TRUE(parsed) << text;
  return *parsed;
}

int port_of(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  return ntohs(reinterpret_cast<const sockaddr_in&>(at).sin_port);
}

int connect_to(const config::address& where) {
  const int fd = ::socket(where.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, where.raw(), where.length) == 0) return fd;
  const int why = errno;
  ::close(fd);
  return -why;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

class ListeningSockets : public testing::Test {
 protected:
  void SetUp() override { before_ = io::test::open_descriptors(); }
  void TearDown() override { EXPECT_EQ(io::test::open_descriptors(), before_); }
  int before_ = 0;
};

TEST_F(ListeningSockets, PortZeroIsOneFreePortForAllWorkers) {
  const auto made = listening_sockets::open(address("127.0.0.1:0"), 4);
  ASSERT_TRUE(made);
  const int port = port_of(made->fd(0));
  EXPECT_NE(port, 0);
  std::set<int> different;
  for (unsigned worker = 0; worker < 4; ++worker) {
    different.insert(made->fd(worker));
    EXPECT_EQ(port_of(made->fd(worker)), port);
    EXPECT_EQ(option(made->fd(worker), SOL_SOCKET, SO_ACCEPTCONN), 1);
    EXPECT_EQ(option(made->fd(worker), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_NE(::fcntl(made->fd(worker), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(different.size(), 4U);
  EXPECT_EQ(made->name(), "127.0.0.1:" + std::to_string(port));
  const descriptor client(connect_to(address(made->name())));
  EXPECT_GE(client, 0);
}

TEST_F(ListeningSockets, APortInUseIsAnErrorThoughBothWouldShareIt) {
  const auto first = listening_sockets::open(address("127.0.0.1:0"), 2);
  ASSERT_TRUE(first);
  const auto second = listening_sockets::open(address(first->name()), 2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os, EADDRINUSE);
  EXPECT_EQ(second.error().from, origin::configuration);
}

TEST_F(ListeningSockets, APortIsFreeAgainWhenTheyGo) {
  std::string name;
  {
    // One: of several the kernel chooses who gets the connection, and accept() would wait for it.
    const auto made = listening_sockets::open(address("127.0.0.1:0"), 1);
    ASSERT_TRUE(made);
    name = made->name();
    // A connection that lingers in TIME_WAIT is in nobody's way.
    const descriptor client(connect_to(address(name)));
    const descriptor accepted(::accept(made->fd(0), nullptr, nullptr));
  }
  EXPECT_TRUE(listening_sockets::open(address(name), 2));
}

TEST_F(ListeningSockets, AnAddressThatIsNotOursIsAnError) {
  const auto made = listening_sockets::open(address("192.0.2.1:0"), 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().os, EADDRNOTAVAIL);
}

TEST_F(ListeningSockets, TheIPv6WildcardServesIPv4Too) {
  const auto made = listening_sockets::open(address("[::]:0"), 1);
  if (!made && made.error().os == EAFNOSUPPORT) GTEST_SKIP() << "no IPv6 on this machine";
  ASSERT_TRUE(made);
  const std::string port = std::to_string(port_of(made->fd(0)));
  EXPECT_EQ(made->name(), "[::]:" + port);
  const descriptor client(connect_to(address("127.0.0.1:" + port)));
  EXPECT_GE(client, 0);
}

TEST_F(ListeningSockets, MoveAndLeaveNothingBehind) {
  auto one = listening_sockets::open(address("127.0.0.1:0"), 2);
  auto two = listening_sockets::open(address("127.0.0.1:0"), 2);
  ASSERT_TRUE(one && two);
  listening_sockets moved(std::move(*one));
  const int fd = moved.fd(0);
  moved = std::move(*two);
  EXPECT_NE(moved.fd(0), fd);
}

class UnixListener : public ListeningSockets {
 protected:
  UnixListener() {
    std::string name = testing::TempDir() + "rw_net_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = name + "/gate.sock";
  }
  ~UnixListener() override { std::filesystem::remove_all(directory_); }
  config::address where() const { return address("unix:" + path_); }
  std::filesystem::path directory_;
  std::string path_;
};

TEST_F(UnixListener, IsOneSocketForAllWorkersAndItsFileGoesWithIt) {
  {
    const auto made = listening_sockets::open(where(), 4);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->fd(0), made->fd(3));
    EXPECT_EQ(made->name(), "unix:" + path_);
    struct stat at{};
    ASSERT_EQ(::stat(path_.c_str(), &at), 0);
    EXPECT_EQ(at.st_mode & 0777, 0666U);
    const descriptor client(connect_to(where()));
    EXPECT_GE(client, 0);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixListener, AStaleFileIsReplaced) {
  const config::address at = where();
  {
    const descriptor dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead, at.raw(), at.length), 0);
    ASSERT_EQ(::listen(dead, 1), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  const auto made = listening_sockets::open(at, 1);
  ASSERT_TRUE(made);
  const descriptor client(connect_to(at));
  EXPECT_GE(client, 0);
}

TEST_F(UnixListener, ALiveOneIsInUse) {
  const auto first = listening_sockets::open(where(), 1);
  ASSERT_TRUE(first);
  const auto second = listening_sockets::open(where(), 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os, EADDRINUSE);
  const descriptor client(connect_to(where()));
  EXPECT_GE(client, 0) << "the first one's file is gone";
}

// As that of a process which was killed, and whose ring the kernel still takes apart.
TEST_F(UnixListener, OneThatIsAboutToGoIsWaitedFor) {
  const config::address at = where();
  descriptor going(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(going, at.raw(), at.length), 0);
  ASSERT_EQ(::listen(going, 8), 0);
  auto opening = std::async(std::launch::async, [&] {
    return listening_sockets::open(at, 1, 0666, std::chrono::minutes(1));
  });
  // Each try asks first whether anybody listens. The second one shows that the first was not all.
  for (int tries = 0; tries < 2; ++tries) {
    pollfd asked{.fd = going, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&asked, 1, 30'000), 1) << "it does not try again";
    const descriptor who(::accept(going, nullptr, nullptr));
  }
  going.reset();
  const auto made = opening.get();
  ASSERT_TRUE(made);
  const descriptor client(connect_to(at));
  EXPECT_GE(client, 0);
}

TEST_F(ListeningSockets, AnAddressThatStaysInUseIsAnErrorInTheEnd) {
  const auto first = listening_sockets::open(address("127.0.0.1:0"), 1);
  ASSERT_TRUE(first);
  const auto began = std::chrono::steady_clock::now();
  const auto second =
      listening_sockets::open(address(first->name()), 1, 0666, std::chrono::milliseconds(30));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os, EADDRINUSE);
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(30));
}

// One whose queue is full answers nobody, but it is not dead.
TEST_F(UnixListener, AFullOneIsInUseAndNobodyWaitsForIt) {
  const config::address at = where();
  const descriptor busy(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(busy, at.raw(), at.length), 0);
  ASSERT_EQ(::listen(busy, 0), 0);
  const descriptor first(connect_to(at));
  const auto made = listening_sockets::open(at, 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().os, EADDRINUSE);
}

TEST_F(UnixListener, AFileThatIsNoSocketStays) {
  FILE* file = std::fopen(path_.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  const auto made = listening_sockets::open(where(), 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().os, EADDRINUSE);
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

}  // namespace
}  // namespace rw::net
