#include "gateway/hash_pool.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "auth/key_file.h"
#include "auth/slow_hash.h"
#include "gateway_world.h"

namespace rw::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(GuessBudget, GivesABurstAndThenAPartOfTheThreadsTime) {
  const mono_time start = mono_time{} + std::chrono::hours{1};
  guess_budget two(2, seconds{10});
  EXPECT_LE(two.open_from(), start);
  two.charge(seconds{10}, start);
  EXPECT_LE(two.open_from(), start);
  two.charge(milliseconds{500}, start);  // half a second at 2 / 4 of a CPU
  EXPECT_EQ(two.open_from(), start + seconds{1});
  two.give_back(milliseconds{500});
  EXPECT_EQ(two.open_from(), start);
  // What nobody spent is not saved up beyond the burst.
  const mono_time later = start + std::chrono::hours{1};
  two.charge(milliseconds{10'001}, later);
  EXPECT_EQ(two.open_from(), later + milliseconds{2});
}

class HashPool : public test::GatewayTest {
 protected:
  static constexpr const char* alice = "legacy-key-of-alice-0001";

  // Three lines, alice's the last.
  std::shared_ptr<const auth::key_store> lines() {
    constexpr const char* text =
        "a:$2b$04$abcdefghijklmnopqrstuuaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
        "b:$2b$04$abcdefghijklmnopqrstuubbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
        "alice:$2b$04$abcdefghijklmnopqrstuuUvYS9F4GuR7UjKkEdKWp9CaPIxOLmxq\n";
    config::diagnostics said;
    auto made = auth::load_keys(text, "keys", said);
    EXPECT_TRUE(made);
    return std::make_shared<const auth::key_store>(std::move(*made));
  }

  void SetUp() override {
    test::GatewayTest::SetUp();
    inbox_->ring = loop_->kernel().descriptor();
  }

  void ask(hash_pool& pool, std::string_view key, bool known = false) {
    auto job = std::make_unique<hash_job>(inbox_, lines_, key, auth::digest_of(key, pool.secret()),
                                          seconds{60}, known);
    ASSERT_TRUE(pool.submit(job.get()));
    job.release();
  }

  // The next answer that comes within `at_most`.
  std::optional<auth::slow_answer> answer(nanoseconds at_most = seconds{60}) {
    const mono_time end = loop_->kernel().now() + at_most;
    do {
      for (io::message* one = inbox_->answers.take_all(); one != nullptr;) {
        const std::unique_ptr<hash_job> job(static_cast<hash_job*>(one));
        one = one->next;
        if (job->answered) answers_.push_back(job->answer);
      }
      if (!answers_.empty()) {
        const auth::slow_answer first = answers_.front();
        answers_.pop_front();
        return first;
      }
      std::this_thread::sleep_for(milliseconds{1});
    } while (loop_->kernel().now() < end);
    return std::nullopt;
  }

  std::shared_ptr<hash_inbox> inbox_ = std::make_shared<hash_inbox>();
  std::shared_ptr<const auth::key_store> lines_ = lines();
  std::deque<auth::slow_answer> answers_;
};

TEST_F(HashPool, HoldsAKeyAgainstEachLineUntilOneMatches) {
  hash_pool pool(1, guess_budget::burst, SCHED_OTHER);
  ask(pool, alice);
  const auto hers = answer();
  ASSERT_TRUE(hers);
  EXPECT_TRUE(hers->matched);
  EXPECT_EQ(lines_->slow_line_of(hers->about)->name, "alice");
  EXPECT_EQ(pool.hashes(), 3U);
  ask(pool, alice);  // remembered
  EXPECT_TRUE(answer()->matched);
  EXPECT_EQ(pool.hashes(), 3U);
  ask(pool, "guess-number-00000001");
  const auto wrong = answer();
  ASSERT_TRUE(wrong);
  EXPECT_FALSE(wrong->matched);
  EXPECT_EQ(wrong->about, lines_->slow_id());
  EXPECT_EQ(pool.hashes(), 6U);
}

TEST_F(HashPool, GuessesBeyondTheirTimeWaitAndKnownKeysDoNot) {
  constexpr int guesses = 12;
  nanoseconds least = seconds{1};  // that a line takes
  for (int i = 0; i < 10; ++i) {
    const nanoseconds before = loop_->kernel().thread_time();
    EXPECT_FALSE(auth::matches_slow_hash(lines_->slow_lines()[0].hash, "guess-number-00000000"));
    least = std::min(least, loop_->kernel().thread_time() - before);
  }
  // After the first line the next has to be earned, four times as long.
  hash_pool pool(1, nanoseconds{1}, SCHED_OTHER);
  const mono_time began = loop_->kernel().now();
  for (int i = 0; i < guesses; ++i) ask(pool, "guess-number-" + std::to_string(10000000 + i));
  ask(pool, alice, true);
  const auto first = answer();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->matched);
  for (int i = 0; i < guesses; ++i) ASSERT_TRUE(answer()) << i;
  EXPECT_EQ(pool.hashes(), 3U + guesses * 3);
  // Half of what it takes: the machine may be faster now than it was then.
  EXPECT_GE(loop_->kernel().now() - began, least * guesses * 3 * guess_budget::part / 2);
}

}  // namespace
}  // namespace rw::gateway
