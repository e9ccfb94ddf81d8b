#include "control/writer_thread.h"

#include <pthread.h>
#include <sys/stat.h>

#include <csignal>
#include <utility>

namespace rw::control {
namespace {

using std::chrono::milliseconds;

// Lines wait this long at most; workers never pay a system call to say that there are some. The
// longer pause must be shorter than a worker needs to fill its queue.
constexpr milliseconds busy_pause{5};
constexpr milliseconds idle_pause{50};

}  // namespace

void writer_thread_state::rest(bool wrote) {
  const bool failed = failing.load(std::memory_order_relaxed) != 0;
  const milliseconds pause = failed ? writer_failed_pause : wrote ? busy_pause : idle_pause;
  std::unique_lock hold(lock);
  changed.wait_for(hold, pause, [this] {
    return stop.load(std::memory_order_relaxed) || reopen.load(std::memory_order_relaxed);
  });
}

void writer_thread_state::look_at_file(int fd) noexcept {
  struct stat found{};
  removed = ::fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 0;
  if (removed || not_reopened != 0) reopen.store(true, std::memory_order_relaxed);
}

void writer_thread_state::reopened(int os) noexcept {
  not_reopened = os;
  report(0);
}

void writer_thread_state::say_ended() {
  const std::lock_guard hold(lock);
  ended = true;
  changed.notify_all();
}

void writer_thread_state::ask_to_reopen() noexcept {
  const std::lock_guard hold(lock);
  reopen.store(true, std::memory_order_release);
  changed.notify_all();
}

// It takes no signals: they are the control thread's, and a pipe nobody reads is an errno.
std::thread start_writer_thread(const char* name, std::function<void()> run) {
  std::thread made;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int crash : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) sigdelset(&all, crash);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    made = std::thread(std::move(run));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(made.native_handle(), name);
  return made;
}

void stop_writer_thread(writer_thread_state& of, std::thread& thread,
                        std::chrono::nanoseconds patience) {
  bool ended = false;
  {
    std::unique_lock hold(of.lock);
    of.stop.store(true, std::memory_order_release);
    of.changed.notify_all();
    std::uint64_t before = 0;
    do {
      before = of.progress.load(std::memory_order_relaxed);
      ended = of.changed.wait_for(hold, patience, [&of] { return of.ended; });
    } while (!ended && of.progress.load(std::memory_order_relaxed) != before);
    of.from.clear();
  }
  if (ended) {
    thread.join();
  } else {
    thread.detach();  // in a write that hangs; it ends with the process
  }
}

}  // namespace rw::control
