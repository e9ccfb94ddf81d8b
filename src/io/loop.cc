#include "io/loop.h"

namespace rw::io {

loop::loop(std::unique_ptr<ring> kernel, std::size_t buffers_bytes)
    : kernel_(std::move(kernel)),
      buffers_(*kernel_, buffers_bytes),
      pipes_(*kernel_),
      now_(kernel_->now()),
      wall_now_(kernel_->wall_now()),
      timers_(now_) {}

void loop::turn() {
  // Before the wait, not after it: what came back between two turns must not stay here for a sleep.
  buffers_.replenish();
  kernel_->wait(deferred_.empty() ? timers_.next() : mono_time{});
  now_ = kernel_->now();
  wall_now_ = kernel_->wall_now();
  kernel_->dispatch();
  timers_.advance(now_);
  for (std::size_t i = 0; i < deferred_.size(); ++i) deferred_[i].resume();
  deferred_.clear();
}

void loop::post(ring& from, message* one) noexcept {
  const int ours = kernel_->descriptor();
  inbox_.push(one);  // it may be the order to end: from here on this loop may be gone
  from.wake(ours);
}

// Looks into the inbox whether or not a wake came: one can fail, when our queue is full at that
// moment.
message* loop::posted() noexcept {
  kernel_->woken();
  return inbox_.take_all();
}

}  // namespace rw::io
