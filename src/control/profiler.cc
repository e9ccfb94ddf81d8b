#include "control/profiler.h"

#include <cerrno>
#include <csignal>

#include "base/phase.h"
#include "io/ring.h"

namespace rw::control {
namespace {

// What it counts belongs to the thread, whatever siginfo_t may say.
void on_sample(int) noexcept { sample_phase(); }

// Stays when a profile has ended: a signal may be under way, and would end the process.
result<> handle_samples() noexcept {
  struct sigaction before{};
  ::sigaction(SIGPROF, nullptr, &before);
  const bool is_ours = (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == &on_sample;
  if (is_ours) return {};
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    return failure(
        {fault::unsupported, origin::local, false, 0, "somebody else in this process has SIGPROF"});
  }
  struct sigaction how{};
  how.sa_handler = &on_sample;
  how.sa_flags = SA_RESTART;  // of splice(2), and what libraries may call
  if (::sigaction(SIGPROF, &how, nullptr) != 0) {
    return failure(io::kernel_error(errno, origin::local));
  }
  return {};
}

}  // namespace

result<sampling> sampling::begin(const std::vector<workers::sampled>& threads) {
  const result<> handled = handle_samples();
  if (!handled) return failure(handled.error());
  sampling made;
  made.timers_.reserve(threads.size());
  for (const workers::sampled& one : threads) {
    sigevent what{};
    what.sigev_notify = SIGEV_THREAD_ID;
    what.sigev_signo = SIGPROF;
    what._sigev_un._tid = one.thread;
    timer_t timer{};
    if (::timer_create(one.clock, &what, &timer) != 0) {
      return failure(io::kernel_error(errno, origin::local));
    }
    made.timers_.push_back(timer);
    itimerspec when{};
    when.it_value.tv_nsec = when.it_interval.tv_nsec = period.count();
    if (::timer_settime(timer, 0, &when, nullptr) != 0) {
      return failure(io::kernel_error(errno, origin::local));
    }
  }
  return made;
}

sampling::~sampling() {
  for (timer_t one : timers_) ::timer_delete(one);
}

}  // namespace rw::control
