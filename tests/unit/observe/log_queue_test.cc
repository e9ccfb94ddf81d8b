#include "observe/log_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <thread>

namespace rw::observe {
namespace {

bool put(log_queue& queue, std::string_view line, std::size_t more = 0) {
  const std::span<char> room = queue.reserve(line.size() + more);
  if (room.empty()) return false;
  std::copy(line.begin(), line.end(), room.begin());
  queue.commit(line.size());
  return true;
}

// Everything readable, at most `most` bytes of it.
std::string get(log_queue& queue, std::size_t most = SIZE_MAX) {
  std::string out;
  for (std::span<const char> bytes = queue.readable(); !bytes.empty() && most > 0;
       bytes = queue.readable()) {
    bytes = bytes.first(std::min(bytes.size(), most));
    out.append(bytes.begin(), bytes.end());
    queue.release(bytes.size());
    most -= bytes.size();
  }
  return out;
}

TEST(LogQueue, GivesBackWhatWasPutIn) {
  log_queue queue(4096);
  EXPECT_TRUE(queue.readable().empty());
  EXPECT_TRUE(put(queue, "one\n"));
  EXPECT_TRUE(put(queue, "two\n", 100));
  EXPECT_EQ(get(queue), "one\ntwo\n");
  EXPECT_EQ(get(queue), "");
}

TEST(LogQueue, ReservingAloneIsNothing) {
  log_queue queue(4096);
  EXPECT_EQ(queue.reserve(1000).size(), 1000U);
  EXPECT_TRUE(queue.readable().empty());
  EXPECT_TRUE(put(queue, "x\n"));
  EXPECT_EQ(get(queue), "x\n");
}

TEST(LogQueue, DropsAndCountsWhenFull) {
  log_queue queue(4096);
  const std::string line(100, 'x');
  std::size_t kept = 0;
  for (int i = 0; i < 100; ++i) kept += put(queue, line);
  EXPECT_EQ(kept, 40U);
  EXPECT_EQ(queue.dropped(), 60U);
  EXPECT_FALSE(put(queue, std::string(5000, 'x')));
  EXPECT_EQ(get(queue).size(), 4000U);
  EXPECT_TRUE(put(queue, line));
  EXPECT_EQ(get(queue), line);
}

// A plain string of what should be in it, for lines of every size, read in pieces of every size.
TEST(LogQueue, AgreesWithAString) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    log_queue queue(4096);
    std::string expected;
    std::uint64_t refused = 0;
    for (int i = 0; i < 300; ++i) {
      const std::size_t size = 1 + random() % (round % 2 == 0 ? 64 : 2048);
      std::string line(size, static_cast<char>('a' + i % 26));
      if (put(queue, line, random() % 512)) {
        expected += line;
      } else {
        ++refused;
      }
      if (random() % 3 == 0) {
        const std::string some = get(queue, random() % 3000);
        ASSERT_EQ(some, expected.substr(0, some.size()));
        expected.erase(0, some.size());
      }
    }
    ASSERT_EQ(get(queue), expected);
    ASSERT_EQ(queue.dropped(), refused);
    ASSERT_LT(refused, 300U);
  }
}

TEST(LogQueue, OneWritesWhileAnotherReads) {
  log_queue queue(4096);
  constexpr int lines = 200'000;
  std::atomic<bool> done = false;
  std::jthread worker([&] {
    for (int i = 0; i < lines; ++i) {
      const std::string line =
          std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), '.');
      put(queue, line + '\n', static_cast<std::size_t>(i % 31));
    }
    done.store(true);
  });
  std::string all;
  std::string rest;
  int last = -1;
  std::uint64_t seen = 0;
  for (bool end = false; !end;) {
    end = done.load();
    rest += get(queue, 700);
    if (end) rest += get(queue);
    std::size_t begin = 0;
    for (std::size_t stop = rest.find('\n'); stop != std::string::npos;
         begin = stop + 1, stop = rest.find('\n', begin)) {
      const std::string line = rest.substr(begin, stop - begin);
      const std::size_t digits = std::min(line.find('.'), line.size());
      const int number = std::stoi(line.substr(0, digits));
      ASSERT_GT(number, last);
      ASSERT_EQ(line.size() - digits, static_cast<std::size_t>(number % 97));
      last = number;
      ++seen;
    }
    rest.erase(0, begin);
  }
  worker.join();
  EXPECT_EQ(rest, "");
  EXPECT_EQ(seen + queue.dropped(), static_cast<std::uint64_t>(lines));
  EXPECT_GT(seen, 100U);
}

}  // namespace
}  // namespace rw::observe
