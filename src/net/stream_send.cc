#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/carried_stream.h"
#include "net/stream.h"

namespace rw::net {
stream::send_awaiter::send_awaiter(stream& s, std::array<std::string_view, pieces_max> pieces,
                                   nanoseconds gap) noexcept
    : stream_(s),
      pieces_(pieces),
      encrypted_(!s.sends_plain() && !s.raw_),
      gap_(s.loop_, s.fd_, op_, gap) {}

// Drops `bytes` from the front of what is to be sent.
void stream::send_awaiter::advance(std::size_t bytes) noexcept {
  for (std::string_view& piece : pieces_) {
    const std::size_t taken = std::min(bytes, piece.size());
    piece.remove_prefix(taken);
    bytes -= taken;
  }
  RW_ASSERT(bytes == 0);
}

// Where records are put: for much, so many at a time as a bulk receive brings.
tls::output stream::send_awaiter::room() {
  constexpr std::size_t many = (bulk_bytes / (16U << 10U) + 1) * io::buffer_pool::buffer_bytes;
  std::size_t left = 0;
  for (const std::string_view piece : pieces_) left += piece.size();
  if (!many_records_ && left > 2 * io::buffer::capacity()) {
    many_records_ = std::make_unique_for_overwrite<std::byte[]>(many);
  }
  if (many_records_) return {many_records_.get(), 0, many};
  if (!records_) records_ = stream_.loop_.buffers().take();
  return {records_.data(), 0, io::buffer::capacity()};
}

// TLS: puts as much of pieces_ as fits into records_. False when there is nothing to send.
bool stream::send_awaiter::encrypt() noexcept {
  if (records_begin_ != records_end_) return true;
  tls::output out = room();
  stream_.take_control(out);
  std::array<std::span<const std::byte>, pieces_max> parts;
  std::size_t count = 0;
  for (std::string_view piece : pieces_) {
    if (!piece.empty()) parts[count++] = std::as_bytes(std::span(piece));
  }
  if (count > 0 && stream_.control_.empty()) {
    const tls::transfer done = stream_.tls_->write(std::span(parts.data(), count), out);
    if (done.state == tls::step::failed) {
      outcome_ = failure(stream_.tls_failure());
      return false;
    }
    advance(done.size);
    if (done.state == tls::step::done && stream_.last_send_) stream_.tls_->close(out);
  } else if (count == 0) {
    stream_.tls_->flush(out);
  }
  records_begin_ = 0;
  records_end_ = static_cast<std::uint32_t>(out.size);
  return out.size > 0;
}

bool stream::send_awaiter::start() noexcept {
  if (encrypted_) {
    if (!encrypt()) return false;
    stream_.loop_.kernel().send(
        op_, stream_.fd_,
        {(many_records_ ? many_records_.get() : records_.data()) + records_begin_,
         records_end_ - records_begin_});
    return true;
  }
  if (stream_.kernel_sends_) {
    if (const msghdr* first = stream_.next_record()) {
      stream_.loop_.kernel().send(op_, stream_.fd_, first);
      return true;
    }
  }
  std::size_t count = 0;
  std::string_view last;
  for (std::string_view piece : pieces_) {
    if (piece.empty()) continue;
    last = piece;
    vectors_[count++] = {const_cast<char*>(piece.data()), piece.size()};
  }
  if (count == 0) return false;
  if (count == 1) {
    stream_.loop_.kernel().send(op_, stream_.fd_, std::as_bytes(std::span(last)));
  } else {
    message_.msg_iov = vectors_.data();
    message_.msg_iovlen = count;
    stream_.loop_.kernel().send(op_, stream_.fd_, &message_);
  }
  return true;
}

bool stream::is_sending() const noexcept {
  if (carried_) return static_cast<const carried_stream&>(*this).has_sender();
  return sending_ != nullptr;
}

bool stream::send_awaiter::await_ready() noexcept {
  RW_ASSERT(stream_.sending_ == nullptr);
  stream_.resting_ = false;
  if (stream_.failed_) {
    outcome_ = failure(stream_.why_);
    return true;
  }
  if (stream_.carried_) return carried_stream::of(stream_).begin_send(*this);
  return !start();
}

void stream::send_awaiter::await_suspend(std::coroutine_handle<> awaiting) noexcept {
  awaiting_ = awaiting;
  if (stream_.carried_) return;
  stream_.sending_ = &op_;
  gap_.start();
}

void stream::send_awaiter::on_sent(io::operation& op, io::completion what) {
  send_awaiter& self = static_cast<owned<io::operation>&>(op).owner;
  stream& s = self.stream_;
  bool renewed = true;
  if (s.record_) {
    renewed = what.result < 0 || s.record_sent();
  } else if (what.result >= 0) {
    const auto bytes = static_cast<std::size_t>(what.result);
    s.bytes_sent_ += bytes;
    if (self.encrypted_) {
      self.records_begin_ += static_cast<std::uint32_t>(bytes);
    } else {
      self.advance(bytes);
      if (s.kernel_sends_) s.count_records(bytes);
    }
  }
  if (s.failed_) {
    self.outcome_ = failure(s.why_);
  } else if (self.gap_.expired()) {
    self.outcome_ = failure(s.fail(fault::timed_out, "the peer takes nothing"));
  } else if (what.result < 0) {
    self.outcome_ = failure(io::kernel_error(-what.result, s.side_));
  } else if (!renewed) {
    self.outcome_ = failure(s.fail(fault::tls, "the kernel takes no new keys"));
  } else if (self.start()) {
    self.gap_.start();
    return;
  }
  self.gap_.stop();
  s.sending_ = nullptr;
  self.awaiting_.resume();
}

result<> stream::send_awaiter::await_resume() noexcept { return outcome_; }

}  // namespace rw::net
