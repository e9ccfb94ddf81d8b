#include "net/inherited_sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <filesystem>

#include "../io/sockets.h"
#include "net/listening_socket.h"

namespace rw::net {
namespace {

using io::test::descriptor;

std::string text_of(const std::vector<inherited_socket>& all) {
  std::string text;
  for (const inherited_socket& one : all) text += std::to_string(one.fd) + "=" + one.name + " ";
  return text;
}

std::string parsed(const char* pid, const char* fds, const char* names) {
  return text_of(parse_listen_variables(pid, fds, names, 42));
}

TEST(ListenVariables, NameTheDescriptorsFromThreeOn) {
  EXPECT_EQ(parsed("42", "2", "a:b"), "3=a 4=b ");
  EXPECT_EQ(parsed("42", "1", "listener.main.0"), "3=listener.main.0 ");
  EXPECT_EQ(parsed("42", "0", ""), "");
}

TEST(ListenVariables, MayNameFewerOrMore) {
  EXPECT_EQ(parsed("42", "3", "a"), "3=a 4= 5= ");
  EXPECT_EQ(parsed("42", "3", nullptr), "3= 4= 5= ");
  EXPECT_EQ(parsed("42", "3", ":b:"), "3= 4=b 5= ");
  EXPECT_EQ(parsed("42", "1", "a:b:c"), "3=a ");
}

TEST(ListenVariables, OfAnotherProcessAreNotOurs) {
  EXPECT_EQ(parsed("43", "1", "a"), "");
  EXPECT_EQ(parsed(nullptr, "1", "a"), "");
  EXPECT_EQ(parsed("", "1", "a"), "");
  EXPECT_EQ(parsed("42x", "1", "a"), "");
}

TEST(ListenVariables, ThatMakeNoSenseAreNone) {
  for (const char* wrong : {"", "-1", "1x", " 1", "99999999999999999999", "65537"}) {
    EXPECT_EQ(parsed("42", wrong, "a"), "") << wrong;
  }
  EXPECT_EQ(parsed("42", nullptr, "a"), "");
  EXPECT_EQ(parse_listen_variables("42", "65536", nullptr, 42).size(), 65536U);
}

config::address address(const std::string& text) {
  const auto found = config::parse_address(text);
  EXPECT_TRUE(found) << text;
  return *found;
}

// A socket of one listener, on its own: what a process before this one has left.
int listening(const std::string& where, unsigned count = 1) {
  auto made = listening_sockets::open(address(where), count);
  EXPECT_TRUE(made) << where;
  const int kept = ::fcntl(made->fd(0), F_DUPFD_CLOEXEC, 0);
  made->leave_path();
  return kept;
}

std::string name_of(int fd) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  return "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
}

class InheritedSockets : public testing::Test {
 protected:
  void SetUp() override { before_ = io::test::open_descriptors(); }
  void TearDown() override { EXPECT_EQ(io::test::open_descriptors(), before_); }

  // How many of the passed sockets are taken for `where`.
  static std::size_t taken(inherited_sockets& from, const std::string& where,
                           std::string_view name = "listener.main.") {
    const std::vector<inherited_socket> all = from.take(address(where), name);
    for (const inherited_socket& one : all) ::close(one.fd);
    return all.size();
  }
  int before_ = 0;
};

TEST_F(InheritedSockets, AreFoundByAddressWhateverTheirNames) {
  const int one = listening("127.0.0.1:0");
  const int other = listening("127.0.0.1:0");
  const std::string where = name_of(one);
  inherited_sockets passed({{one, "anything"}, {other, "listener.main.0"}});
  EXPECT_EQ(taken(passed, "127.0.0.2:" + where.substr(where.find(':') + 1)), 0U);
  EXPECT_EQ(taken(passed, where), 1U);
  EXPECT_EQ(taken(passed, where), 0U);
  const auto rest = passed.take_rest();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].fd, other);
  ::close(other);
}

TEST_F(InheritedSockets, AtPortZeroAreFoundByAddressAndName) {
  inherited_sockets passed({{listening("127.0.0.1:0"), "listener.main.0"},
                            {listening("127.0.0.1:0"), "listener.mainly.0"},
                            {listening("127.0.0.2:0"), "listener.main.1"}});
  EXPECT_EQ(taken(passed, "127.0.0.1:0"), 1U);
  EXPECT_EQ(taken(passed, "127.0.0.1:0"), 0U);
}

TEST_F(InheritedSockets, ThatAreSomethingElseAreNotTaken) {
  const descriptor datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const config::address any = address("127.0.0.1:0");
  ASSERT_EQ(::bind(datagrams, any.raw(), any.length), 0);
  const descriptor deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(deaf, any.raw(), any.length), 0);
  const descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  inherited_sockets passed(
      {{datagrams, "listener.main.0"}, {deaf, "listener.main.1"}, {file, "listener.main.2"}});
  for (const int fd : {int{datagrams}, int{deaf}}) EXPECT_EQ(taken(passed, name_of(fd)), 0U);
  EXPECT_EQ(taken(passed, "127.0.0.1:0"), 0U);
  EXPECT_EQ(passed.take_rest().size(), 3U);
}

// A .socket unit with BindIPv6Only=ipv6-only would leave IPv4 out.
TEST_F(InheritedSockets, OfIPv6AloneIsNotTakenForBoth) {
  const config::address any = address("[::]:0");
  for (const int only : {0, 1}) {
    const descriptor fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd < 0) GTEST_SKIP() << "no IPv6 on this machine";
    ASSERT_EQ(::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), 0);
    ASSERT_EQ(::bind(fd, any.raw(), any.length), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    inherited_sockets passed({{fd, "listener.main.0"}});
    EXPECT_EQ(passed.take(any, "listener.main.").size(), only == 0 ? 1U : 0U);
    passed.take_rest();
  }
}

TEST_F(InheritedSockets, NobodyTookAreClosed) {
  inherited_sockets passed({{listening("127.0.0.1:0"), ""}});
  inherited_sockets moved(std::move(passed));
}

class InheritedUnixSocket : public InheritedSockets {
 protected:
  InheritedUnixSocket() {
    std::string name = testing::TempDir() + "rw_inherited_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    where_ = "unix:" + name + "/gate.sock";
  }
  ~InheritedUnixSocket() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
  std::string where_;
};

TEST_F(InheritedUnixSocket, IsTakenWhileItsFileIsThere) {
  {
    inherited_sockets passed({{listening(where_), "listener.main.0"}});
    EXPECT_EQ(taken(passed, where_ + "2"), 0U);
    EXPECT_EQ(taken(passed, where_), 1U);
  }
  inherited_sockets passed({{listening(where_), "listener.main.0"}});
  std::filesystem::remove(directory_ / "gate.sock");
  EXPECT_EQ(taken(passed, where_), 0U) << "nobody could reach it";
}

TEST_F(InheritedUnixSocket, AdoptedKeepsItsFileUntilItOwnsIt) {
  const std::filesystem::path file = directory_ / "gate.sock";
  const int first = listening(where_);
  const descriptor second(::fcntl(first, F_DUPFD_CLOEXEC, 0));
  {
    const auto made = listening_sockets::adopt(address(where_), 4, {first});
    EXPECT_EQ(made.name(), where_);
    EXPECT_EQ(made.of(0, 4), made.of(3, 4));
  }
  EXPECT_TRUE(std::filesystem::exists(file));
  {
    auto made = listening_sockets::adopt(address(where_), 4, {::fcntl(second, F_DUPFD_CLOEXEC, 0)});
    made.own_path();
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

class Adopted : public InheritedSockets {};

bool waits(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

TEST_F(Adopted, EachSocketHasAWorkerThatAcceptsFromIt) {
  auto before = listening_sockets::open(address("127.0.0.1:0"), 5);
  ASSERT_TRUE(before);
  std::vector<int> fds;
  for (const int fd : before->all()) fds.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const auto made = listening_sockets::adopt(address(before->name()), 2, fds);
  EXPECT_EQ(made.name(), before->name());
  EXPECT_EQ(made.of(0, 2), (std::vector<int>{fds[0], fds[2], fds[4]}));
  EXPECT_EQ(made.of(1, 2), (std::vector<int>{fds[1], fds[3]}));
}

TEST_F(Adopted, FewerThanWorkersGetCompany) {
  const int one = listening("127.0.0.1:0", 2);
  const std::string where = name_of(one);
  const auto made = listening_sockets::adopt(address("127.0.0.1:0"), 3, {one});
  ASSERT_EQ(made.all().size(), 3U);
  for (const int fd : made.all()) {
    EXPECT_EQ(name_of(fd), where);
    EXPECT_TRUE(waits(fd));
  }
  for (unsigned worker = 0; worker < 3; ++worker) EXPECT_EQ(made.of(worker, 3).size(), 1U);
}

TEST_F(Adopted, OneThatSharesItsPortWithNobodyIsSharedByTheWorkers) {
  const config::address any = address("127.0.0.1:0");
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ASSERT_EQ(::bind(fd, any.raw(), any.length), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  const auto made = listening_sockets::adopt(address(name_of(fd)), 3, {fd});
  EXPECT_EQ(made.all(), std::vector<int>{fd});
  EXPECT_EQ(made.of(2, 3), std::vector<int>{fd});
  EXPECT_TRUE(waits(fd));
}

}  // namespace
}  // namespace rw::net
