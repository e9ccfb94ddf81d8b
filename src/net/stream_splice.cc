#include <poll.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/stream.h"

namespace rw::net {

void stream::arm_readiness() noexcept {
  // What is held comes first, and what nobody waits for stays with the peer.
  if (!reader_ || has_pending()) return;
  under_way_ = receive_mode::readiness;
  loop_.kernel().poll(receiving_, fd_, POLLIN | POLLRDHUP);
}

result<std::size_t> stream::splice_to(io::pipe& to, std::size_t most) noexcept {
  RW_ASSERT(mode_ == receive_mode::readiness && to.held() == 0);
  if (failed_) return failure(why_);
  if (receiving_.in_flight() || has_pending() || begin_ != end_) return 0;
  if (ended_) return failure(fail(fault::closed, "the peer closed the connection"));
  const std::int32_t moved = loop_.kernel().splice_in(fd_, to.ends(), most);
  if (moved > 0) {
    to.filled(static_cast<std::size_t>(moved));
    bytes_received_ += static_cast<std::size_t>(moved);
    return static_cast<std::size_t>(moved);
  }
  if (moved == -EAGAIN) return 0;
  if (moved == 0) {
    ended_ = true;
    return failure(fail(fault::closed, "the peer closed the connection"));
  }
  fail_with(io::kernel_error(-moved, side_));
  return failure(why_);
}

// True when there is nothing left to do.
bool stream::splice_awaiter::move() noexcept {
  while (from_.held() > 0) {
    const std::int32_t moved =
        stream_.loop_.kernel().splice_out(from_.ends(), stream_.fd_, from_.held());
    if (moved == -EAGAIN) return false;
    if (moved <= 0) {
      outcome_ = failure(io::kernel_error(moved == 0 ? EPIPE : -moved, stream_.side_));
      return true;
    }
    from_.drained(static_cast<std::size_t>(moved));
    stream_.bytes_sent_ += static_cast<std::size_t>(moved);
    if (stream_.kernel_sends_) stream_.count_records(static_cast<std::size_t>(moved));
  }
  return true;
}

bool stream::splice_awaiter::await_ready() noexcept {
  RW_ASSERT(stream_.sending_ == nullptr && stream_.sends_plain());
  if (!stream_.failed_) return move();
  outcome_ = failure(stream_.why_);
  return true;
}

void stream::splice_awaiter::await_suspend(std::coroutine_handle<> awaiting) noexcept {
  awaiting_ = awaiting;
  stream_.sending_ = &op_;
  stream_.loop_.kernel().poll(op_, stream_.fd_, POLLOUT);
  gap_.start();
}

void stream::splice_awaiter::on_writable(io::operation& op, io::completion what) {
  splice_awaiter& self = static_cast<readiness&>(op).owner;
  stream& s = self.stream_;
  if (s.failed_) {
    self.outcome_ = failure(s.why_);
  } else if (self.gap_.expired()) {
    self.outcome_ = failure(s.fail(fault::timed_out, "the peer takes nothing"));
  } else if (what.result < 0) {
    self.outcome_ = failure(io::kernel_error(-what.result, s.side_));
  } else {
    const std::size_t before = self.from_.held();
    if (!self.move()) {
      s.loop_.kernel().poll(self.op_, s.fd_, POLLOUT);
      if (self.from_.held() != before) self.gap_.start();
      return;
    }
  }
  self.gap_.stop();
  s.sending_ = nullptr;
  self.awaiting_.resume();
}

}  // namespace rw::net
