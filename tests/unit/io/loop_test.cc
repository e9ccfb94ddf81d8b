#include "io/loop.h"

#include <gtest/gtest.h>

#include <thread>

#include "io/task.h"

namespace rw::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

loop make() { return loop(std::move(*ring::create(32)), 1); }

task<> nap(loop& on, nanoseconds how_long, sleep*& under_way) {
  sleep pause(on, on.now() + how_long);
  under_way = &pause;
  co_await pause;
  under_way = nullptr;
}

TEST(Loop, SleepsUntilTheDeadline) {
  loop one = make();
  gate all;
  sleep* under_way = nullptr;
  const mono_time before = one.now();
  spawn(nap(one, milliseconds{20}, under_way), all);
  while (all.inside() > 0) one.turn();
  EXPECT_GE(one.now() - before, milliseconds{20});
  EXPECT_LT(one.now() - before, seconds{5});
  EXPECT_EQ(frames_alive(), 0U);
}

TEST(Loop, ASleepCanBeCutShort) {
  loop one = make();
  gate all;
  sleep* under_way = nullptr;
  const mono_time before = one.now();
  spawn(nap(one, std::chrono::hours{1}, under_way), all);
  under_way->cut();
  while (all.inside() > 0) one.turn();
  EXPECT_LT(one.now() - before, seconds{5});
}

struct deferring {
  loop& on;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const noexcept { on.defer(h); }
  void await_resume() const noexcept {}
};

task<> defer_twice(loop& on, int& steps) {
  co_await deferring{on};
  ++steps;
  co_await deferring{on};
  ++steps;
}

// Messages are handled between turns; what they defer must not wait for the next thing to happen.
TEST(Loop, WhatIsDeferredBetweenTurnsDoesNotWait) {
  loop one = make();
  gate all;
  int steps = 0;
  spawn(defer_twice(one, steps), all);
  const mono_time before = one.kernel().now();
  one.turn();
  EXPECT_EQ(steps, 2);
  EXPECT_LT(one.kernel().now() - before, seconds{5});
}

struct note : message {
  explicit note(int n) : number(n) {}
  int number;
};

TEST(Loop, TakesMessagesOfOtherThreads) {
  std::atomic<loop*> theirs = nullptr;
  std::atomic<int> sum = 0;
  std::thread other([&] {
    loop mine = make();
    theirs = &mine;
    while (sum < 5050) {
      mine.turn();
      for (message* one = mine.posted(); one != nullptr;) {
        sum += static_cast<note*>(one)->number;
        delete std::exchange(one, one->next);
      }
    }
  });
  while (theirs == nullptr) std::this_thread::yield();
  loop ours = make();
  for (int i = 1; i <= 100; ++i) {
    theirs.load()->post(ours.kernel(), new note(i));
    ours.kernel().wait(ours.kernel().now());
  }
  other.join();
  EXPECT_EQ(sum, 5050);
}

}  // namespace
}  // namespace rw::io
