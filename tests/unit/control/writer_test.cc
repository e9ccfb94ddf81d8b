#include "control/writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace rw::control {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Writer : public testing::Test {
 protected:
  Writer() {
    std::string name = (fs::temp_directory_path() / "rw-writer-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~Writer() override { fs::remove_all(folder_); }

  std::string path(const char* name = "access.log") const { return (folder_ / name).string(); }

  static std::string content(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  static bool put(observe::log_queue& queue, const std::string& line) {
    const std::span<char> room = queue.reserve(line.size());
    if (room.empty()) return false;
    std::copy(line.begin(), line.end(), room.begin());
    queue.commit(line.size());
    return true;
  }

  template <class Condition>
  static bool soon(Condition condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  fs::path folder_;
  observe::log_queue one_{1U << 20U};
  observe::log_queue two_{1U << 20U};
};

TEST_F(Writer, WritesWhatIsThereBeforeItEnds) {
  std::string ones;
  std::string twos;
  {
    auto made = writer::start(path(), {&one_, &two_});
    ASSERT_TRUE(made.has_value());
    for (int i = 0; i < 5000; ++i) {
      const std::string number = std::to_string(i);
      ASSERT_TRUE(put(one_, "one " + number + "\n"));
      ASSERT_TRUE(put(two_, "two " + number + "\n"));
      ones += "one " + number + "\n";
      twos += "two " + number + "\n";
    }
    (*made).reset();
  }
  std::istringstream lines(content(path()));
  std::string from_one;
  std::string from_two;
  for (std::string line; std::getline(lines, line);) {
    (line.starts_with("one") ? from_one : from_two) += line + "\n";
  }
  EXPECT_EQ(from_one, ones);
  EXPECT_EQ(from_two, twos);
  struct stat about{};
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U & ~0640U, 0U);
}

TEST_F(Writer, WritesSoonWithoutBeingTold) {
  const auto made = writer::start(path(), {&one_});
  ASSERT_TRUE(made.has_value());
  ASSERT_TRUE(put(one_, "line\n"));
  EXPECT_TRUE(soon([&] { return content(path()) == "line\n"; }));
  EXPECT_EQ((*made)->dropped(), 0U);
  EXPECT_EQ((*made)->failing(), 0);
}

TEST_F(Writer, AppendsAndReopens) {
  std::ofstream(path()) << "before\n";
  const auto made = writer::start(path(), {&one_});
  ASSERT_TRUE(made.has_value());
  ASSERT_TRUE(put(one_, "first\n"));
  ASSERT_TRUE(soon([&] { return content(path()) == "before\nfirst\n"; }));
  fs::rename(path(), path("access.log.1"));
  (*made)->reopen();
  ASSERT_TRUE(soon([&] { return fs::exists(path()); }));
  ASSERT_TRUE(put(one_, "second\n"));
  EXPECT_TRUE(soon([&] { return content(path()) == "second\n"; }));
  EXPECT_EQ(content(path("access.log.1")), "before\nfirst\n");
}

TEST_F(Writer, SaysWhyItCannotOpen) {
  const auto made = writer::start(path("no/such/folder"), {&one_});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().os, ENOENT);
}

TEST_F(Writer, AFullDiskStopsNobody) {
  auto made = writer::start("/dev/full", {&one_});
  ASSERT_TRUE(made.has_value());
  ASSERT_TRUE(put(one_, "line\n"));
  ASSERT_TRUE(soon([&] { return (*made)->failing() == ENOSPC; }));
  const std::string line(1000, 'x');
  std::uint64_t refused = 0;
  for (int i = 0; i < 5000; ++i) refused += !put(one_, line + "\n");
  EXPECT_GT(refused, 0U);
  EXPECT_EQ((*made)->dropped(), refused);
  const auto before = std::chrono::steady_clock::now();
  (*made).reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
}

// A line that is longer than what one write takes.
TEST_F(Writer, WritesLongLinesWhole) {
  const std::string line = std::string(700'000, 'x') + "\n";
  {
    const auto made = writer::start(path(), {&one_});
    ASSERT_TRUE(made.has_value());
    ASSERT_TRUE(put(one_, line));
  }
  EXPECT_EQ(content(path()), line);
}

// The file stops in the middle of a line; after the rotation the new one starts with a whole line.
TEST_F(Writer, ARotatedFileNeverStartsWithHalfALine) {
  struct rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit tight = before;
  tight.rlim_cur = 1005;
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += "0123456789\n";
  const auto made = writer::start(path(), {&one_});
  ASSERT_TRUE(made.has_value());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  ASSERT_TRUE(put(one_, lines));
  const bool failed = soon([&] { return (*made)->failing() == EFBIG; });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(failed);
  EXPECT_EQ(content(path()).size(), 1005U);
  fs::rename(path(), path("access.log.1"));
  (*made)->reopen();
  // 91 lines and 4 octets are in the old file; the 92nd is lost.
  EXPECT_TRUE(soon([&] { return content(path()) == lines.substr(92 * 11); }));
  EXPECT_EQ((*made)->dropped(), 1U);
}

class pipe_of_nobody {
 public:
  explicit pipe_of_nobody(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~pipe_of_nobody() { ::close(reader_); }

  // Reads what there is; true when no writer is left.
  bool ended() const {
    std::string some(1U << 16U, '\0');
    ssize_t n = 0;
    do {
      n = ::read(reader_, some.data(), some.size());
    } while (n > 0);
    return n == 0;
  }

 private:
  int reader_;
};

TEST_F(Writer, AHangingDiskStopsNobodyAndEndsInTime) {
  const pipe_of_nobody pipe(path());
  auto made = writer::start(path(), {&one_});
  ASSERT_TRUE(made.has_value());
  const std::string line(1000, 'x');
  std::uint64_t refused = 0;
  for (int i = 0; i < 5000; ++i) refused += !put(one_, line + "\n");
  EXPECT_GT(refused, 0U);
  EXPECT_EQ((*made)->dropped(), refused);
  const auto before = std::chrono::steady_clock::now();
  (*made).reset();
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, writer::patience);
  EXPECT_LT(took, 5 * writer::patience);
  // The thread was left behind with a batch of its own; when the pipe moves again it ends by
  // itself.
  EXPECT_TRUE(soon([&] { return pipe.ended(); }));
}

TEST_F(Writer, AReaderThatLeavesIsNoSignal) {
  auto pipe = std::make_unique<pipe_of_nobody>(path());
  const auto made = writer::start(path(), {&one_});
  ASSERT_TRUE(made.has_value());
  pipe.reset();
  ASSERT_TRUE(put(one_, "line\n"));
  EXPECT_TRUE(soon([&] { return (*made)->failing() == EPIPE; }));
}

}  // namespace
}  // namespace rw::control
