#include "control/workers.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "config/load.h"
#include "gateway/snapshot.h"
#include "tls/library.h"

namespace rw::control {
namespace {

TEST(Workers, MayBeToldAnythingAfterTheirEnd) {
  random_init();
  ASSERT_TRUE(tls::library_init());
  auto kernel = io::ring::create(64);
  ASSERT_TRUE(kernel);
  io::loop loop(std::move(*kernel), 1U << 20U);
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
  observe::label_names labels;
  gateway::snapshot_context with;
  with.labels = &labels;
  with.now = loop.wall_now();
  const auto made = gateway::make_snapshot(std::move(loaded->settings), with);
  ASSERT_TRUE(made) << config::to_string(made.error().front());
  auto some = workers::start(2, made->state, nullptr, nullptr, {}, {}, 100, loop);
  ASSERT_TRUE(some) << some.error().text;
  (*some)->drain(loop.kernel(), nanoseconds{0});
  while ((*some)->running() > 0) {
    loop.kernel().wait(loop.kernel().now() + std::chrono::milliseconds{1});
  }
  for (int i = 0; i < 1000; ++i) (*some)->revoke(loop.kernel(), nullptr);
  (*some)->put(loop.kernel(), std::make_shared<gateway::question>());
  some->reset();
}

}  // namespace
}  // namespace rw::control
