#include "io/mailbox.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace rw::io {
namespace {

struct numbered : message {
  numbered(unsigned s, unsigned n, std::atomic<int>& count) : sender(s), number(n), alive(count) {
    ++alive;
  }
  ~numbered() override { --alive; }
  unsigned sender;
  unsigned number;
  std::atomic<int>& alive;
};

TEST(Mailbox, GivesOldestFirst) {
  std::atomic<int> alive = 0;
  mailbox box;
  EXPECT_EQ(box.take_all(), nullptr);
  for (unsigned i = 0; i < 3; ++i) box.push(new numbered(0, i, alive));
  unsigned expected = 0;
  for (message* one = box.take_all(); one != nullptr;) {
    EXPECT_EQ(static_cast<numbered*>(one)->number, expected++);
    delete std::exchange(one, one->next);
  }
  EXPECT_EQ(expected, 3U);
  EXPECT_EQ(box.take_all(), nullptr);
  EXPECT_EQ(alive, 0);
}

TEST(Mailbox, DeletesWhatNobodyTook) {
  std::atomic<int> alive = 0;
  {
    mailbox box;
    for (unsigned i = 0; i < 3; ++i) box.push(new numbered(0, i, alive));
    EXPECT_EQ(alive, 3);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Mailbox, KeepsTheOrderOfEachOfManySenders) {
  constexpr unsigned senders = 4;
  constexpr unsigned each = 20'000;
  std::atomic<int> alive = 0;
  mailbox box;
  std::vector<std::thread> threads;
  for (unsigned s = 0; s < senders; ++s) {
    threads.emplace_back([&box, &alive, s] {
      for (unsigned i = 0; i < each; ++i) box.push(new numbered(s, i, alive));
    });
  }
  std::vector<unsigned> next(senders);
  for (unsigned taken = 0; taken < senders * each;) {
    for (message* one = box.take_all(); one != nullptr; ++taken) {
      auto& got = static_cast<numbered&>(*one);
      EXPECT_EQ(got.number, next[got.sender]++);
      delete std::exchange(one, one->next);
    }
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(box.take_all(), nullptr);
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace rw::io
