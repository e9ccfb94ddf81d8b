#include "control/service_manager.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "../io/sockets.h"

namespace rw::control {
namespace {

using io::test::descriptor;

TEST(NotifySocket, IsAPathOrAnAbstractName) {
  sockaddr_un at{};
  socklen_t length = 0;
  ASSERT_TRUE(parse_notify_socket("/run/systemd/notify", at, length));
  EXPECT_EQ(at.sun_family, AF_UNIX);
  EXPECT_STREQ(at.sun_path, "/run/systemd/notify");
  EXPECT_EQ(length, offsetof(sockaddr_un, sun_path) + 19);
  ASSERT_TRUE(parse_notify_socket("@abc", at, length));
  EXPECT_EQ(std::string(at.sun_path, 4), std::string("\0abc", 4));
  EXPECT_EQ(length, offsetof(sockaddr_un, sun_path) + 4);
}

TEST(NotifySocket, MayBeAsLongAsTheKernelTakes) {
  sockaddr_un at{};
  socklen_t length = 0;
  EXPECT_TRUE(parse_notify_socket("/" + std::string(106, 'x'), at, length));
  EXPECT_FALSE(parse_notify_socket("/" + std::string(107, 'x'), at, length));
}

TEST(NotifySocket, IsNothingElse) {
  sockaddr_un at{};
  socklen_t length = 0;
  for (const char* wrong : {"", "/", "@", "run/notify", "vsock:2:1234", "none"}) {
    EXPECT_FALSE(parse_notify_socket(wrong, at, length)) << wrong;
  }
}

TEST(WatchdogTime, IsInMicrosecondsAndForOneProcess) {
  EXPECT_EQ(parse_watchdog("30000000", "42", 42), std::chrono::seconds{30});
  EXPECT_EQ(parse_watchdog("1", nullptr, 42), std::chrono::microseconds{1});
  EXPECT_EQ(parse_watchdog("30000000", "43", 42), nanoseconds{0});
  EXPECT_EQ(parse_watchdog("30000000", "", 42), nanoseconds{0});
  EXPECT_EQ(parse_watchdog(nullptr, "42", 42), nanoseconds{0});
  for (const char* wrong :
       {"", "0", "-5", "5s", " 5", "18446744073709551615", "9223372036854775807"}) {
    EXPECT_EQ(parse_watchdog(wrong, nullptr, 42), nanoseconds{0}) << wrong;
  }
}

// A manager, and what it is told.
class ServiceManager : public testing::Test {
 protected:
  ServiceManager() {
    std::string name = testing::TempDir() + "rw_manager_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    const std::string path = name + "/notify";
    sockaddr_un at{};
    socklen_t length = 0;
    EXPECT_TRUE(parse_notify_socket(path, at, length));
    heard_ = descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(heard_, reinterpret_cast<sockaddr*>(&at), length), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "2000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    manager_ = service_manager::from_environment();
  }
  ~ServiceManager() override { std::filesystem::remove_all(directory_); }

  // The next message; what came with it is in passed_.
  std::string next() {
    char text[512];
    iovec bytes{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(heard_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return "nothing";
    passed_.reset();
    if (const cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
      passed_ = descriptor(fd);
    }
    return {text, static_cast<std::size_t>(got)};
  }

  std::filesystem::path directory_;
  descriptor heard_;
  descriptor passed_;
  service_manager manager_;
};

TEST_F(ServiceManager, ItsVariablesAreForNobodyElse) {
  EXPECT_TRUE(manager_.there());
  EXPECT_EQ(manager_.watchdog(), std::chrono::seconds{2});
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
  const service_manager later = service_manager::from_environment();
  EXPECT_FALSE(later.there());
  EXPECT_EQ(later.watchdog(), nanoseconds{0});
}

TEST_F(ServiceManager, EachMessageIsOneDatagram) {
  manager_.ready("serving");
  manager_.reloading(mono_time(std::chrono::microseconds{1234567}));
  manager_.still_stopping(std::chrono::seconds{10}, "draining");
  manager_.stopping("draining");
  manager_.alive();
  manager_.forget("listener.main.0");
  EXPECT_EQ(next(), "READY=1\nSTATUS=serving");
  EXPECT_EQ(next(), "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=reloading");
  EXPECT_EQ(next(), "EXTEND_TIMEOUT_USEC=10000000\nSTATUS=draining");
  EXPECT_EQ(next(), "STOPPING=1\nSTATUS=draining");
  EXPECT_EQ(next(), "WATCHDOG=1");
  EXPECT_EQ(next(), "FDSTOREREMOVE=1\nFDNAME=listener.main.0");
  EXPECT_EQ(next(), "nothing");
}

TEST_F(ServiceManager, AStatusIsOneLineWhateverIsInIt) {
  manager_.ready("file\nMAINPID=1\r\tend");
  EXPECT_EQ(next(), "READY=1\nSTATUS=file MAINPID=1  end");
}

TEST_F(ServiceManager, AStoredSocketIsTheSameSocket) {
  const descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  manager_.store(socket, "listener.main.0");
  EXPECT_EQ(next(), "FDSTORE=1\nFDNAME=listener.main.0\nFDPOLL=0");
  struct stat ours{};
  struct stat theirs{};
  ASSERT_EQ(::fstat(socket, &ours), 0);
  ASSERT_EQ(::fstat(passed_, &theirs), 0);
  EXPECT_EQ(ours.st_ino, theirs.st_ino);
}

TEST_F(ServiceManager, TheWitnessTellsWhetherAnythingIsKept) {
  EXPECT_FALSE(manager_.keeps_sockets());
  manager_.store_witness();
  EXPECT_TRUE(manager_.keeps_sockets()) << "not read yet";
  EXPECT_EQ(next(), "FDSTORE=1\nFDNAME=witness");
  EXPECT_TRUE(manager_.keeps_sockets());
  passed_.reset();
  EXPECT_FALSE(manager_.keeps_sockets());
}

TEST_F(ServiceManager, KeepsNothingOnceItWasToForget) {
  manager_.store_witness();
  EXPECT_EQ(next(), "FDSTORE=1\nFDNAME=witness");
  manager_.forget_witness();
  EXPECT_EQ(next(), "FDSTOREREMOVE=1\nFDNAME=witness");
  EXPECT_FALSE(manager_.keeps_sockets());
}

TEST_F(ServiceManager, OneThatTakesNoDescriptorsKeepsNone) {
  manager_.store_witness();
  char text[64];
  EXPECT_GT(::recv(heard_, text, sizeof text, 0), 0);  // no room for one: the kernel closes it
  EXPECT_FALSE(manager_.keeps_sockets());
}

TEST_F(ServiceManager, OneThatHasGoneIsInNobodysWay) {
  heard_.reset();
  manager_.ready("serving");
  manager_.store_witness();
  EXPECT_FALSE(manager_.keeps_sockets());
}

TEST_F(ServiceManager, OneThatDoesNotReadIsWaitedForASecond) {
  const auto began = std::chrono::steady_clock::now();
  unsigned told = 0;
  while (std::chrono::steady_clock::now() - began < std::chrono::milliseconds{900}) {
    manager_.alive();
    ++told;
  }
  EXPECT_LT(told, 100'000U) << "nobody waited";
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{20});
}

TEST(NoServiceManager, IsNoTrouble) {
  const int before = io::test::open_descriptors();
  service_manager none;
  none.ready("serving");
  none.store(0, "listener.main.0");
  none.store_witness();
  EXPECT_FALSE(none.there());
  EXPECT_FALSE(none.keeps_sockets());
  EXPECT_EQ(io::test::open_descriptors(), before);
}

}  // namespace
}  // namespace rw::control
