// task<T>: a lazy coroutine with one owner, resumed by symmetric transfer. Frames come from a free
// list of the thread.
//
// Rules that keep this simple (docs/style.md): `co_await` stands alone in its statement; no lambda
// that captures is a coroutine; a frame is destroyed only when nothing it waits for is in flight.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace rw::io {

// The thread's free list of coroutine frames. Frames are made and destroyed on one thread.
void* allocate_frame(std::size_t bytes);
void free_frame(void* frame, std::size_t bytes) noexcept;
// Coroutine frames alive on this thread: zero when nothing is under way.
std::size_t frames_alive() noexcept;
std::size_t frame_bytes() noexcept;  // of those

template <class T>
class task;

namespace detail {

struct promise_base {
  std::coroutine_handle<> continuation = std::noop_coroutine();

  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) noexcept {
      return done.promise().continuation;
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  final_awaiter final_suspend() noexcept { return {}; }
  // No exceptions on the data path: one that gets here is a bug, or memory is gone.
  void unhandled_exception() noexcept { std::terminate(); }

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }
};

template <class T>
struct promise final : promise_base {
  std::optional<T> value;
  task<T> get_return_object() noexcept;
  template <class U = T>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct promise<void> final : promise_base {
  task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = detail::promise<T>;
  using handle = std::coroutine_handle<promise_type>;

  explicit task(handle frame) noexcept : frame_(frame) {}
  task(task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  task& operator=(task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    frame_.promise().continuation = awaiting;
    return frame_;
  }
  T await_resume() { return frame_.promise().take(); }

 private:
  handle frame_;
};

template <class T>
task<T> detail::promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> detail::promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

// Counts what runs on its own; close() then waits until all of it has ended.
class gate {
 public:
  gate() = default;
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;
  ~gate() { RW_ASSERT(inside_ == 0); }

  void enter() noexcept { ++inside_; }
  void leave() noexcept {
    if (--inside_ == 0 && waiting_) std::exchange(waiting_, {}).resume();
  }
  unsigned inside() const noexcept { return inside_; }

  // `co_await gate.empty()`: one waiter at a time.
  auto empty() noexcept {
    struct awaiter {
      gate& one;
      bool await_ready() const noexcept { return one.inside_ == 0; }
      void await_suspend(std::coroutine_handle<> awaiting) noexcept { one.waiting_ = awaiting; }
      void await_resume() const noexcept {}
    };
    return awaiter{*this};
  }

 private:
  unsigned inside_ = 0;
  std::coroutine_handle<> waiting_;
};

namespace detail {

struct detached {
  struct promise_type {
    promise_type(task<void>&, gate& counted) noexcept : until(counted) { until.enter(); }

    // Leaving the gate may resume whoever takes everything apart: by then nothing of this one is
    // left.
    struct final_awaiter {
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        gate& left = done.promise().until;
        done.destroy();
        left.leave();
      }
      void await_resume() noexcept {}
    };

    detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    final_awaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { std::terminate(); }
    void return_void() noexcept {}
    static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      free_frame(frame, bytes);
    }

    gate& until;
  };
};

inline detached run(task<void> one, gate&) { co_await one; }

}  // namespace detail

// Starts `one` at once; it owns itself until it ends, and `until` counts it.
inline void spawn(task<void> one, gate& until) { detail::run(std::move(one), until); }

}  // namespace rw::io
