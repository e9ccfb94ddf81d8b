#include "control/profiler.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <latch>
#include <thread>

#include "base/phase.h"

namespace rw::control {
namespace {

std::uint64_t cpu_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1000 +
         static_cast<std::uint64_t>(used.tv_nsec) / 1'000'000;
}

// Uses the CPU. A call of the C library now and then: there a sanitizer delivers signals.
void burn(unsigned ms) {
  const std::uint64_t until = cpu_ms() + ms;
  while (cpu_ms() < until) ::getppid();
}

// A thread that does what it is told to, and counts what it was found at.
class subject {
 public:
  template <class Work>
  explicit subject(Work work)
      : thread_([this, work] {
          what_.thread = ::gettid();
          ::pthread_getcpuclockid(::pthread_self(), &what_.clock);
          count_phases(&samples_);
          known_.count_down();
          begin_.wait();
          work();
        }) {
    known_.wait();
    what_.samples = &samples_;
  }
  ~subject() {
    if (thread_.joinable()) run();
  }
  void run() {
    begin_.count_down();
    thread_.join();
  }
  const workers::sampled& sampled() const { return what_; }
  std::uint64_t in(phase one) const { return samples_.read()[static_cast<std::size_t>(one)]; }
  std::uint64_t all() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t one : samples_.read()) sum += one;
    return sum;
  }

 private:
  phase_samples samples_;
  workers::sampled what_;
  std::latch known_{1};
  std::latch begin_{1};
  std::thread thread_;
};

TEST(Profiler, AThreadIsFoundWhereItSpendsItsTime) {
  constexpr std::uint64_t enough = 8;
  std::atomic<const subject*> self = nullptr;
  // How often a thread is found depends on the ticks that its machine gets: 8 are 32 ms at best.
  const auto until_found = [&self](phase in) {
    const phase_scope about(in);
    const std::uint64_t latest = cpu_ms() + 20'000;
    while (self.load()->in(in) < enough && cpu_ms() < latest) burn(1);
  };
  subject one([&until_found] {
    until_found(phase::decide);
    until_found(phase::log);
  });
  self = &one;
  auto timers = sampling::begin({one.sampled()});
  ASSERT_TRUE(timers);
  one.run();
  EXPECT_GE(one.in(phase::decide), enough);
  EXPECT_GE(one.in(phase::log), enough);
  EXPECT_LE(one.in(phase::decide), enough + 2);
  EXPECT_LE(one.all(), one.in(phase::decide) + one.in(phase::log) + 2);
}

TEST(Profiler, NobodyIsSampledWhoSleepsOrWasNotAskedFor) {
  subject sleeps([] { std::this_thread::sleep_for(std::chrono::milliseconds{200}); });
  subject works([] { burn(300); });
  auto timers = sampling::begin({sleeps.sampled()});
  ASSERT_TRUE(timers);
  works.run();
  sleeps.run();
  EXPECT_LE(sleeps.all(), 1U);
  EXPECT_EQ(works.all(), 0U);
}

TEST(Profiler, NothingIsLeftOfASampling) {
  subject one([] { burn(300); });
  {
    ASSERT_TRUE(sampling::begin({one.sampled()}));
  }
  one.run();
  EXPECT_EQ(one.all(), 0U);
  ::raise(SIGPROF);  // one that is late ends nobody, and is nowhere counted
}

TEST(Profiler, ThreadsThatHaveEndedAreSaid) {
  const auto timers = sampling::begin({workers::sampled{}});
  ASSERT_FALSE(timers);
  EXPECT_NE(timers.error().os, 0);
}

TEST(Profiler, ASignalThatSomebodyElseHasIsLeftToHim) {
  struct sigaction before{};
  struct sigaction theirs{};
  theirs.sa_handler = [](int) {};
  ::sigaction(SIGPROF, &theirs, &before);
  const auto timers = sampling::begin({});
  ::sigaction(SIGPROF, &before, nullptr);
  ASSERT_FALSE(timers);
  EXPECT_EQ(timers.error().code, fault::unsupported);
}

}  // namespace
}  // namespace rw::control
