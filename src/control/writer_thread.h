// What the threads that write the logs have in common: how they begin, wait and end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "observe/log_queue.h"

namespace rw::control {

// Before a disk that is full is tried again.
inline constexpr std::chrono::milliseconds writer_failed_pause{200};

// Shared with the thread, which may have to be left behind in a write that hangs.
struct writer_thread_state {
  // The thread's: waits until there may be more to write, or it is asked to stop or reopen.
  void rest(bool wrote);
  // The thread's, after each rest: asks for a reopening when the file that is written to was
  // removed (with its directory, perhaps), or one that was asked for has failed.
  void look_at_file(int fd) noexcept;
  // The thread's: an errno, 0 for success.
  void reopened(int os) noexcept;
  // The thread's: a file that was renamed is still somebody's, one that was removed is nobody's.
  bool has_no_file() const noexcept { return removed && not_reopened != 0; }
  // The thread's: what the last open or write came to, an errno. One that could not be opened
  // counts for as long as it cannot.
  void report(int os) noexcept {
    failing.store(os != 0 ? os : not_reopened, std::memory_order_relaxed);
  }
  // The thread's last words.
  void say_ended();
  void ask_to_reopen() noexcept;

  std::mutex lock;
  std::condition_variable changed;
  std::vector<observe::log_queue*> from;  // under `lock`; empty once its owner is gone
  bool ended = false;                     // under `lock`

  std::atomic<bool> stop = false;
  std::atomic<bool> reopen = false;
  // The thread's.
  int not_reopened = 0;  // the errno of the last reopening, 0 when it succeeded
  bool removed = false;  // the file that is written to

  std::atomic<int> failing = 0;             // an errno; 0 when the last attempt succeeded
  std::atomic<std::uint64_t> progress = 0;  // bytes written
};

// Errors: throws std::system_error when there is no thread to be had.
std::thread start_writer_thread(const char* name, std::function<void()> run);

// Waits until it has written what there is. A thread that makes no progress for as long as
// `patience` is left behind; it ends with the process.
void stop_writer_thread(writer_thread_state& of, std::thread& thread,
                        std::chrono::nanoseconds patience);

}  // namespace rw::control
