#include "control/handover.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <string>

#include "../io/sockets.h"

namespace rw::control {
namespace {

using io::test::descriptor;
using kind = handed_descriptor::kind;

handover a_gate() {
  handover all;
  all.configuration = "/etc/ringward";
  all.directory = "/";
  all.manager = "/run/systemd/notify";
  all.watchdog = std::chrono::seconds{30};
  all.upgrades = 3;
  return all;
}

TEST(Handover, IsReadAsItWasWritten) {
  handover all = a_gate();
  all.descriptors = {{kind::listener, "listener.main.0", 1}, {kind::output, "error", 2}};
  const auto read = parse_handover(text_of(all));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->configuration, "/etc/ringward");
  EXPECT_EQ(read->directory, "/");
  EXPECT_EQ(read->manager, "/run/systemd/notify");
  EXPECT_EQ(read->watchdog, std::chrono::seconds{30});
  EXPECT_EQ(read->upgrades, 3U);
  ASSERT_EQ(read->descriptors.size(), 2U);
  EXPECT_EQ(read->descriptors[0].name, "listener.main.0");
  EXPECT_EQ(read->descriptors[1].what, kind::output);
  EXPECT_EQ(read->descriptors[1].fd, -1);
}

TEST(Handover, IsNothingElse) {
  const std::string good = text_of(a_gate());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_handover(good.substr(0, size))) << size;
  }
  for (const char* wrong : {"failed\nno such command\n\n", "ringward handover 1\n\n",
                            "ringward handover 1\nconfiguration\tetc\n\n",
                            "ringward handover 1\nconfiguration\t/etc\nupgrades\t-1\n\n",
                            "ringward handover 1\nconfiguration\t/etc\nwatchdog\t99999999999999999"
                            "999\n\n",
                            "ringward handover 1\nconfiguration\t/etc\nsomething\tx\n\n",
                            "ringward handover 2\nconfiguration\t/etc\n\n"}) {
    EXPECT_FALSE(parse_handover(wrong)) << wrong;
  }
}

struct connected {
  connected() {
    std::array<int, 2> both{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both.data()), 0);
    old = descriptor(both[0]);
    fresh = descriptor(both[1]);
    const timeval patience{5, 0};
    ::setsockopt(fresh, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  descriptor old;
  descriptor fresh;
};

// Each is the one that its name says, though one message holds 253 at most.
TEST(Handover, BringsMoreDescriptorsThanOneMessageHolds) {
  connected both;
  handover all = a_gate();
  constexpr int count = 450;
  std::vector<descriptor> kept;
  for (int i = 0; i < count; ++i) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    ASSERT_EQ(::write(pipe[1], &i, sizeof i), static_cast<ssize_t>(sizeof i));
    kept.emplace_back(pipe[0]);
    kept.emplace_back(pipe[1]);
    all.descriptors.push_back({kind::listener, std::to_string(i), pipe[0]});
  }
  ASSERT_TRUE(send_handover(both.old, all));
  std::string text;
  const auto got = receive_handover(both.fresh, text);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->descriptors.size(), static_cast<std::size_t>(count));
  for (const handed_descriptor& one : got->descriptors) {
    int number = -1;
    EXPECT_EQ(::read(one.fd, &number, sizeof number), static_cast<ssize_t>(sizeof number));
    EXPECT_EQ(std::to_string(number), one.name);
    EXPECT_EQ(::fcntl(one.fd, F_GETFD), FD_CLOEXEC);
    ::close(one.fd);
  }
}

TEST(Handover, ARefusalIsNone) {
  connected both;
  constexpr std::string_view refusal = "failed\nanother upgrade is under way\n";
  ASSERT_EQ(::write(both.old, refusal.data(), refusal.size()),
            static_cast<ssize_t>(refusal.size()));
  both.old = descriptor();
  std::string text;
  EXPECT_FALSE(receive_handover(both.fresh, text));
  EXPECT_EQ(text, refusal);
}

}  // namespace
}  // namespace rw::control
