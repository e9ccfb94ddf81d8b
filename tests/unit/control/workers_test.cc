#include "control/workers.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/random.h"
#include "config/load.h"
#include "gateway/snapshot.h"
#include "tls/library.h"

namespace rw::control {
namespace {

class Workers : public testing::Test {
 protected:
  void SetUp() override {
    random_init();
    ASSERT_TRUE(tls::library_init());
    auto kernel = io::ring::create(64);
    ASSERT_TRUE(kernel);
    loop_.emplace(std::move(*kernel), 1U << 20U);
    auto loaded = config::parse(R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[route]]
name = "all"
path_prefix = "/"
action = "respond"
auth = []
)",
                                "test");
    ASSERT_TRUE(loaded) << config::to_string(loaded.error().front());
    gateway::snapshot_context with;
    with.labels = &labels_;
    with.now = loop_->wall_now();
    const auto made = gateway::make_snapshot(std::move(loaded->settings), with);
    ASSERT_TRUE(made) << config::to_string(made.error().front());
    state_ = made->state;
  }
  auto start(unsigned count) {
    return workers::start(count, state_, nullptr, nullptr, {}, {}, 100, *loop_);
  }
  void stop(workers& all) {
    all.drain(loop_->kernel(), nanoseconds{0});
    while (all.running() > 0) {
      loop_->kernel().wait(loop_->kernel().now() + std::chrono::milliseconds{1});
    }
  }

  std::optional<io::loop> loop_;
  observe::label_names labels_;
  std::shared_ptr<const gateway::snapshot> state_;
};

TEST_F(Workers, MayBeToldAnythingAfterTheirEnd) {
  auto some = start(2);
  ASSERT_TRUE(some) << some.error().text;
  stop(**some);
  for (int i = 0; i < 1000; ++i) (*some)->revoke(loop_->kernel(), nullptr);
  (*some)->put(loop_->kernel(), std::make_shared<gateway::question>());
  some->reset();
}

TEST_F(Workers, ThatHaveStartedEndWhenAnotherCannot) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  int refusals = 0;
  for (rlim_t more = 0;; ++more) {  // descriptors
    const int lowest = ::dup(STDIN_FILENO);
    ::close(lowest);
    const rlimit few{static_cast<rlim_t>(lowest) + more, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    auto some = start(3);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    if (some) {
      stop(**some);
      break;
    }
    EXPECT_EQ(some.error().os, EMFILE) << some.error().text;
    ++refusals;
  }
  EXPECT_GE(refusals, 3);
}

}  // namespace
}  // namespace rw::control
