#include "net/bind_helper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "../io/sockets.h"

namespace rw::net {
namespace {

using io::test::descriptor;

constexpr uid_t nobody = 65534;
constexpr std::uint16_t low_port = 613;

sockaddr_in at(std::uint16_t port, const char* ip = "127.0.0.1") {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  ::inet_pton(AF_INET, ip, &where.sin_addr);
  return where;
}

int bind_new(const bind_helper& by, const sockaddr_in& where) {
  const descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return by.bind(socket, reinterpret_cast<const sockaddr*>(&where), sizeof where);
}

// What `work` gives in a process that may do nothing that nobody may not: an errno.
int as_nobody(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::setresuid(nobody, nobody, nobody) != 0 ? 255 : work());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// One that a test plays, and its end of the socket.
std::pair<bind_helper, descriptor> held() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
  ::setenv("RINGWARD_BIND_HELPER", std::to_string(ends[0]).c_str(), 1);
  return {bind_helper::from_environment(), descriptor(ends[1])};
}

class BindHelper : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "root alone has what is given up here";
    if (bind_new({}, at(low_port)) != 0 || bind_new({}, at(low_port + 1)) != 0) {
      GTEST_SKIP() << "this root may not, or somebody else is there";
    }
    if (as_nobody([] { return bind_new({}, at(low_port)); }) == 0) {
      GTEST_SKIP() << "everybody may bind to ports below 1024 here";
    }
    before_ = io::test::open_descriptors();
  }
  void TearDown() override {
    if (before_ > 0) EXPECT_EQ(io::test::open_descriptors(), before_);
  }
  int before_ = 0;
};

TEST_F(BindHelper, BindsWhatItsProcessMayNot) {
  const bind_helper helper = bind_helper::start();
  ASSERT_TRUE(helper.there());
  EXPECT_EQ(as_nobody([] { return bind_new({}, at(low_port)); }), EACCES);
  EXPECT_EQ(as_nobody([&] { return bind_new(helper, at(low_port)); }), 0);
}

TEST_F(BindHelper, GivesItsErrnoAndGoesOn) {
  const bind_helper helper = bind_helper::start();
  EXPECT_EQ(
      as_nobody([&] {
        const descriptor first(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in where = at(low_port);
        if (helper.bind(first, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
          return 1;
        }
        if (bind_new(helper, at(low_port)) != EADDRINUSE) return 2;
        if (bind_new(helper, at(low_port, "192.0.2.1")) != EADDRNOTAVAIL) return 3;
        return bind_new(helper, at(low_port + 1)) == 0 ? 0 : 4;
      }),
      0);
}

TEST_F(BindHelper, IsNotAskedWhatItsProcessMay) {
  const auto [helper, other_end] = held();
  EXPECT_EQ(bind_new(helper, at(0)), 0);
  EXPECT_EQ(bind_new(helper, at(0, "192.0.2.1")), EADDRNOTAVAIL);
  char octet = 0;
  EXPECT_EQ(::recv(other_end, &octet, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(BindHelper, ThatHasGoneIsNoHelp) {
  auto [helper, other_end] = held();
  EXPECT_TRUE(helper.there());
  other_end.reset();
  EXPECT_EQ(as_nobody([&] { return bind_new(helper, at(low_port)); }), EACCES);
}

TEST_F(BindHelper, ThatGivesNoAnswerIsNotAskedAgain) {
  const auto [helper, other_end] = held();
  const int given = as_nobody([&] {
    ::shutdown(other_end, SHUT_WR);  // what it says does not come
    if (bind_new(helper, at(low_port)) != EACCES) return 1;
    return bind_new(helper, at(low_port + 1)) == EACCES ? 0 : 2;
  });
  EXPECT_EQ(given, 0);
  std::array<char, 64> room{};
  EXPECT_GT(::recv(other_end, room.data(), room.size(), MSG_DONTWAIT), 0);
  EXPECT_LE(::recv(other_end, room.data(), room.size(), MSG_DONTWAIT), 0);
}

TEST_F(BindHelper, HasGoneWhenItIsEnded) {
  bind_helper helper = bind_helper::start();
  helper.end();
  EXPECT_FALSE(helper.there());
  helper.end();
  EXPECT_EQ(as_nobody([&] { return bind_new(helper, at(low_port)); }), EACCES);
}

TEST_F(BindHelper, IsLeftToTheNextProgram) {
  bind_helper before = bind_helper::start();
  before.leave_to_next();
  EXPECT_FALSE(before.there());
  const int fd = std::atoi(std::getenv("RINGWARD_BIND_HELPER"));
  EXPECT_EQ(::fcntl(fd, F_GETFD), 0);  // stays open over exec(3)
  const bind_helper next = bind_helper::from_environment();
  EXPECT_EQ(std::getenv("RINGWARD_BIND_HELPER"), nullptr);
  EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(as_nobody([&] { return bind_new(next, at(low_port)); }), 0);
}

TEST_F(BindHelper, IsNobodyWithoutAGoodVariable) {
  for (const char* text : {"", "x", "-1", "2", "3x", "999999"}) {
    ::setenv("RINGWARD_BIND_HELPER", text, 1);
    EXPECT_FALSE(bind_helper::from_environment().there()) << text;
    EXPECT_EQ(std::getenv("RINGWARD_BIND_HELPER"), nullptr);
  }
}

}  // namespace
}  // namespace rw::net
