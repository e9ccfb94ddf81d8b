#include "io/task.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace rw::io {
namespace {

class Task : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(frames_alive(), 0U); }
};

// Suspends whoever awaits it until open().
struct door {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiting = h; }
  void await_resume() const noexcept {}
  void open() { std::exchange(waiting, {}).resume(); }
  std::coroutine_handle<> waiting;
};

task<std::uint64_t> one() { co_return 1; }

task<std::uint64_t> sum_of_many(unsigned count) {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint64_t part = co_await one();
    sum += part;
  }
  co_return sum;
}

task<unsigned> depth(unsigned left, char*& lowest) {
  char here = 0;
  if (lowest == nullptr || &here < lowest) lowest = &here;
  if (left == 0) co_return 0;
  const unsigned below = co_await depth(left - 1, lowest);
  co_return below + 1;
}

template <class T>
task<> into(task<T> from, T& out) {
  T got = co_await from;
  out = std::move(got);
}

TEST_F(Task, IsLazy) {
  bool ran = false;
  const auto make = [](bool& flag) -> task<> {
    flag = true;
    co_return;
  };
  {
    const task<> never = make(ran);
  }
  EXPECT_FALSE(ran);
}

// Each await and each return is a jump, not a call: an 8 MiB stack would not hold a million of
// them.
TEST_F(Task, AwaitsAMillionInALoopAndAMillionDeepWithoutStack) {
  gate all;
  std::uint64_t sum = 0;
  spawn(into(sum_of_many(1'000'000), sum), all);
  EXPECT_EQ(sum, 1'000'000U);

  char* lowest = nullptr;
  unsigned levels = 0;
  spawn(into(depth(1'000'000, lowest), levels), all);
  EXPECT_EQ(levels, 1'000'000U);
  EXPECT_EQ(all.inside(), 0U);
}

TEST_F(Task, MovesItsValueOutOnce) {
  const auto make = []() -> task<std::unique_ptr<std::string>> {
    co_return std::make_unique<std::string>("value");
  };
  gate all;
  std::unique_ptr<std::string> got;
  spawn(into(make(), got), all);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, "value");
}

task<> pass(door& at, std::vector<int>& log, int id) {
  log.push_back(id);
  co_await at;
  log.push_back(-id);
}

TEST_F(Task, DroppingASuspendedOneDestroysWhatItHolds) {
  door at;
  std::vector<int> log;
  auto held = std::make_shared<int>(1);
  const auto make = [](door& d, std::shared_ptr<int> mine) -> task<> {
    co_await d;
    *mine = 2;
  };
  {
    task<> waiting = make(at, held);
    waiting.await_suspend(std::noop_coroutine()).resume();
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 1);
}

task<> leave_when_empty(gate& all, std::vector<int>& log) {
  co_await all.empty();
  log.push_back(100);
}

TEST_F(Task, AGateOpensWhenTheLastHasLeft) {
  gate all;
  gate waiters;
  door first;
  door second;
  std::vector<int> log;
  spawn(pass(first, log, 1), all);
  spawn(pass(second, log, 2), all);
  EXPECT_EQ(all.inside(), 2U);
  spawn(leave_when_empty(all, log), waiters);
  first.open();
  EXPECT_EQ(waiters.inside(), 1U);
  second.open();
  EXPECT_EQ(waiters.inside(), 0U);
  EXPECT_EQ(log, (std::vector<int>{1, 2, -1, -2, 100}));
  spawn(leave_when_empty(all, log), waiters);
  EXPECT_EQ(log.back(), 100);
  EXPECT_EQ(log.size(), 6U);
}

struct counted {
  explicit counted(int& n) : alive(&n) { ++*alive; }
  counted(counted&& other) noexcept : alive(std::exchange(other.alive, nullptr)) {}
  ~counted() {
    if (alive != nullptr) --*alive;
  }
  int* alive;
};

task<> hold(counted, door& at) { co_await at; }

task<> look_when_empty(gate& all, const int& alive, std::size_t& frames, int& seen) {
  co_await all.empty();
  seen = alive;
  frames = frames_alive();
}

// Whoever waits for the gate takes things apart next: nothing of what left may be there any more.
TEST_F(Task, WhoLeavesAGateIsGoneByThen) {
  gate all;
  gate waiters;
  door at;
  int alive = 0;
  int seen = -1;
  std::size_t frames = 0;
  spawn(hold(counted(alive), at), all);
  spawn(look_when_empty(all, alive, frames, seen), waiters);
  EXPECT_EQ(alive, 1);
  at.open();
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(frames, 2U);  // the watcher's own
}

TEST_F(Task, FramesOfEverySizeComeBackFromTheFreeList) {
  for (std::size_t bytes = 1; bytes < 9'000; bytes += 61) {
    void* frame = allocate_frame(bytes);
    std::memset(frame, 0x5a, bytes);
    free_frame(frame, bytes);
    if (bytes <= 4'096) {
      EXPECT_EQ(allocate_frame(bytes), frame);
      free_frame(frame, bytes);
    }
  }
  std::vector<void*> many;
  for (int i = 0; i < 1'000; ++i) many.push_back(allocate_frame(300));
  EXPECT_EQ(frames_alive(), 1'000U);
  for (void* frame : many) free_frame(frame, 300);
}

}  // namespace
}  // namespace rw::io
