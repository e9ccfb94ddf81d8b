// `co_await read_some(loop, fd, into)`: one read(2) by the ring, for descriptors that are no
// sockets.
#pragma once

#include <coroutine>
#include <span>

#include "io/loop.h"

namespace rw::io {

// Bytes, 0 at the end, or -errno; -ECANCELED after ring::cancel(). Lives in the frame that awaits.
class read_some : public operation {
 public:
  read_some(loop& on, int fd, std::span<std::byte> into) noexcept
      : operation(&on_done), loop_(on), fd_(fd), into_(into) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept {
    awaiting_ = awaiting;
    loop_.kernel().read(*this, fd_, into_);
  }
  std::int32_t await_resume() const noexcept { return result_; }

 private:
  static void on_done(operation& op, completion what) {
    auto& self = static_cast<read_some&>(op);
    self.result_ = what.result;
    self.awaiting_.resume();
  }
  loop& loop_;
  int fd_;
  std::span<std::byte> into_;
  std::coroutine_handle<> awaiting_;
  std::int32_t result_ = 0;
};

}  // namespace rw::io
