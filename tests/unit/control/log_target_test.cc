#include "control/log_target.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace rw::control {
namespace {

namespace fs = std::filesystem;
using kind = log_target::kind;

// A daemon's socket, with what has come to it.
class daemon {
 public:
  explicit daemon(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    ::unlink(path.c_str());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~daemon() { ::close(fd_); }
  daemon(const daemon&) = delete;
  daemon& operator=(const daemon&) = delete;
  std::vector<std::string> arrived() const {
    std::vector<std::string> all;
    std::string bytes(1U << 20U, '\0');
    for (ssize_t got = 0; (got = ::recv(fd_, bytes.data(), bytes.size(), 0)) >= 0;) {
      all.push_back(bytes.substr(0, static_cast<std::size_t>(got)));
    }
    return all;
  }

 private:
  int fd_;
};

class LogTarget : public testing::Test {
 protected:
  LogTarget() {
    std::string name = (fs::temp_directory_path() / "rw-target-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~LogTarget() override { fs::remove_all(folder_); }
  std::string path() const { return (folder_ / "log").string(); }
  fs::path folder_;
};

TEST_F(LogTarget, SyslogGetsEachLineInADatagramOfRfc5424) {
  const daemon listening(path());
  log_target to(kind::syslog, path());
  EXPECT_EQ(to.write(std::string_view("one\ntwo\n")), 8);
  const auto arrived = listening.arrived();
  ASSERT_EQ(arrived.size(), 2U);
  EXPECT_TRUE(arrived[0].starts_with("<30>1 2")) << arrived[0];
  EXPECT_TRUE(arrived[0].ends_with(" access - one")) << arrived[0];
  EXPECT_TRUE(arrived[1].ends_with(" access - two")) << arrived[1];
  EXPECT_NE(arrived[0].find(" ringward " + std::to_string(::getpid()) + " "), std::string::npos);
}

TEST_F(LogTarget, TheJournalGetsFields) {
  const daemon listening(path());
  log_target to(kind::journal, path());
  EXPECT_EQ(to.write(std::string_view("one\n")), 4);
  const auto arrived = listening.arrived();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(arrived[0], "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=ringward\nMESSAGE=one\n");
}

TEST_F(LogTarget, ADaemonThatIsFullIsWaitedForAndNothingIsLostOrSentTwice) {
  const daemon listening(path());
  log_target to(kind::syslog, path());
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "line " + std::to_string(i) + "\n";
  std::vector<std::string> arrived;
  for (std::size_t done = 0; done < lines.size();) {
    const ssize_t wrote = to.write(std::string_view(lines).substr(done));
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
      continue;
    }
    ASSERT_EQ(errno, EAGAIN);
    for (std::string& one : listening.arrived()) arrived.push_back(std::move(one));
  }
  for (std::string& one : listening.arrived()) arrived.push_back(std::move(one));
  ASSERT_EQ(arrived.size(), 1000U);
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    EXPECT_TRUE(arrived[i].ends_with(" - line " + std::to_string(i))) << arrived[i];
  }
  EXPECT_EQ(to.take_lost(), 0U);
}

TEST_F(LogTarget, ALineThatNoDatagramHoldsIsLostAndCountedAndOthersFollow) {
  const daemon listening(path());
  log_target to(kind::syslog, path());
  const std::string lines = std::string(4U << 20U, 'x') + "\nshort\n";
  const ssize_t first = to.write(lines);
  ASSERT_EQ(first, static_cast<ssize_t>((4U << 20U) + 1));
  EXPECT_EQ(to.take_lost(), 1U);
  EXPECT_EQ(to.take_lost(), 0U);
  EXPECT_EQ(to.write(std::string_view(lines).substr(static_cast<std::size_t>(first))), 6);
  ASSERT_EQ(listening.arrived().size(), 1U);
}

TEST_F(LogTarget, ADaemonIsFoundAgainWhenItComesBack) {
  log_target to(kind::journal, path());
  EXPECT_EQ(to.write(std::string_view("a\n")), -1);
  EXPECT_EQ(errno, ENOENT);
  {
    const daemon listening(path());
    EXPECT_EQ(to.write(std::string_view("a\n")), 2);
  }
  EXPECT_EQ(to.write(std::string_view("b\n")), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  const daemon again(path());
  EXPECT_EQ(to.write(std::string_view("b\n")), 2);
  EXPECT_EQ(again.arrived().size(), 1U);
}

}  // namespace
}  // namespace rw::control
