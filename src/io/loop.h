// What one thread turns on: its ring, buffers, deadlines, and the time as of this turn.
#pragma once

#include <coroutine>
#include <memory>
#include <vector>

#include "io/buffer_pool.h"
#include "io/mailbox.h"
#include "io/pipe_pool.h"
#include "io/ring.h"
#include "io/timer_wheel.h"

namespace rw::io {

class loop {
 public:
  // `kernel` was created on the thread that will call turn().
  loop(std::unique_ptr<ring> kernel, std::size_t buffers_bytes);

  ring& kernel() noexcept { return *kernel_; }
  buffer_pool& buffers() noexcept { return buffers_; }
  timer_wheel& timers() noexcept { return timers_; }
  pipe_pool& pipes() noexcept { return pipes_; }

  // As of the start of this turn: read once for all that happens in it.
  mono_time now() const noexcept { return now_; }
  wall_time wall_now() const noexcept { return wall_now_; }

  // Submits, waits for something to happen, handles all of it.
  void turn();

  // Resumes `suspended` before this turn ends, or in the next one if called between two. For
  // whoever may not resume it from where it stands: the one to resume could destroy it.
  void defer(std::coroutine_handle<> suspended) { deferred_.push_back(suspended); }

  // Any thread but through `from`, the caller's own ring: `one` is in the inbox by the next turn.
  void post(ring& from, message* one) noexcept;
  // The owner's thread, once per turn: what was posted, oldest first; the caller deletes them.
  message* posted() noexcept;

 private:
  std::unique_ptr<ring> kernel_;
  buffer_pool buffers_;
  pipe_pool pipes_;
  mono_time now_;
  wall_time wall_now_;
  timer_wheel timers_;
  mailbox inbox_;
  std::vector<std::coroutine_handle<>> deferred_;
};

// `co_await sleep{loop, deadline}`
class sleep {
 public:
  sleep(loop& on, mono_time deadline) noexcept : loop_(on), deadline_(deadline) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept {
    awaiting_ = awaiting;
    loop_.timers().arm(timer_, deadline_);
  }
  void await_resume() const noexcept {}
  // Ends the wait now. Only while something awaits it.
  void cut() noexcept {
    if (timer_.armed()) loop_.timers().arm(timer_, mono_time{});
  }

 private:
  struct wake_up : timer {
    explicit wake_up(sleep& one) noexcept
        : timer([](timer& t) { static_cast<wake_up&>(t).owner.awaiting_.resume(); }), owner(one) {}
    sleep& owner;
  };
  loop& loop_;
  mono_time deadline_;
  std::coroutine_handle<> awaiting_;
  wake_up timer_{*this};
};

}  // namespace rw::io
