#include "gateway/key_source.h"

#include "gateway_world.h"

namespace rw::gateway {
namespace {

using std::chrono::seconds;
using advice = key_source::advice;

class KeySource : public test::GatewayTest {
 protected:
  advice ask(nanoseconds since_start = seconds{1}) {
    return source_->ask(mono_time{} + since_start, &*loop_, loop_->kernel());
  }
  // How many asked the control thread, which is this one; their messages are taken.
  unsigned questions() {
    unsigned count = 0;
    for (io::message* one = loop_->posted(); one != nullptr; ++count) {
      io::message* next = one->next;
      EXPECT_EQ(static_cast<keys_wanted*>(one)->source, source_);
      delete one;
      one = next;
    }
    return count;
  }
  static io::task<bool> wait(worker& on, const key_source& of) {
    co_await on.wait_for_keys(of);
    co_return true;
  }

  std::shared_ptr<key_source> source_ = std::make_shared<key_source>();
};

TEST_F(KeySource, AtMost256RequestsWaitForOneFetchThatIsAskedForOnce) {
  for (unsigned i = 0; i < 256; ++i) EXPECT_EQ(ask(), advice::wait) << i;
  EXPECT_EQ(source_->waiting(), 256U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(), advice::try_later);
  EXPECT_EQ(source_->waiting(), 256U);
  EXPECT_EQ(questions(), 1U);
  source_->begin();
  source_->leave();
  EXPECT_EQ(ask(), advice::wait);
  EXPECT_EQ(ask(), advice::try_later);
  EXPECT_EQ(questions(), 0U);
}

TEST_F(KeySource, NobodyAsksAgainBeforeTheTime) {
  EXPECT_EQ(ask(), advice::wait);
  source_->begin();
  source_->leave();
  source_->settle(mono_time{} + seconds{11}, false);
  EXPECT_EQ(ask(seconds{10}), advice::refuse);
  EXPECT_EQ(source_->waiting(), 0U);
  EXPECT_EQ(questions(), 1U);
  EXPECT_EQ(ask(seconds{11}), advice::wait);
  EXPECT_EQ(questions(), 1U);
}

// An outage must not look like a bad token.
TEST_F(KeySource, WhileItFailsNobodyIsToldThatThereIsNoSuchKey) {
  source_->settle(mono_time{} + seconds{300}, true);
  EXPECT_EQ(ask(), advice::try_later);
  EXPECT_EQ(source_->ask_again(), advice::try_later);
  source_->settle(mono_time{} + seconds{300}, false);
  EXPECT_EQ(ask(), advice::refuse);
  EXPECT_EQ(questions(), 0U);
}

TEST_F(KeySource, AWaitEndsAfterTwoSecondsOrWithTheFetch) {
  configure("");
  static_assert(key_source::wait_max == seconds{2});
  test::outcome<bool> other;
  test::outcome<bool> until_the_end;
  const auto stranger = std::make_shared<key_source>();
  const mono_time began = loop_->now();
  start(wait(*worker_, *source_), other);
  start(wait(*worker_, *stranger), until_the_end);
  worker_->keys_settled(*source_);
  ASSERT_TRUE(until([&] { return other.done(); }, seconds{60}));
  EXPECT_FALSE(until_the_end.done());
  ASSERT_TRUE(until([&] { return until_the_end.done(); }, seconds{60}));
  EXPECT_GE(loop_->now() - began, key_source::wait_max);
}

}  // namespace
}  // namespace rw::gateway
