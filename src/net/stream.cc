#include "net/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "net/carried_stream.h"

namespace rw::net {
namespace {

// A receiver that has this much unread is not received for: the peer's window fills, and it waits.
constexpr std::size_t pending_chunks_max = 4;
// So much is copied behind what is already held, rather than kept in a buffer of its own: otherwise
// a peer that sends an octet at a time would take a buffer for each.
constexpr std::size_t joined_bytes_max = 2048;
// Beyond any head limit the configuration admits, and a record on top.
constexpr std::size_t spill_bytes_max = (256U << 10U) + io::buffer_pool::buffer_bytes;

}  // namespace

stream::stream(io::loop& on, int fd, origin side) noexcept : loop_(on), fd_(fd), side_(side) {}

stream::~stream() { RW_ASSERT(fd_ < 0); }

void stream::consume(std::size_t bytes) noexcept {
  RW_ASSERT(bytes <= end_ - begin_);
  begin_ += static_cast<std::uint32_t>(bytes);
  if (begin_ != end_ || under_way_ == receive_mode::bulk) return;
  begin_ = end_ = 0;
  if (mode_ == receive_mode::bulk && input_spill_) return;
  room_ = 0;
  input_ = nullptr;
  input_buffer_.reset();
  input_spill_.reset();
}

bool stream::ended() const noexcept { return ended_ && !has_pending() && begin_ == end_; }

bool stream::rest() noexcept {
  // A ticket is nothing that anybody waits for.
  if (tls_ && !failed_ && side_ == origin::upstream) fill();
  if (!quiet()) return false;
  if (unseen_ && loop_.kernel().has_input(fd_)) return false;
  resting_ = side_ == origin::upstream;  // a client's next request stays where it is bounded
  arm_receive();
  return receiving_.in_flight() || starving_.waiting();
}

stream::held stream::hold(std::size_t bytes) {
  RW_ASSERT(bytes <= end_ - begin_);
  const std::string_view rest = input().substr(bytes);
  // Of much that was received in one piece a small request must not keep all, nor each of many
  // have all that follows it moved.
  if ((input_spill_ || rest.size() > bytes) && bytes <= io::buffer::capacity()) {
    held copied{loop_.buffers().take(), nullptr};
    std::memcpy(copied.bytes.text(), input_ + begin_, bytes);
    copied.moved_to = copied.bytes.text();
    consume(bytes);
    return copied;
  }
  held taken{std::move(input_buffer_), std::move(input_spill_)};
  begin_ = end_ = room_ = 0;
  input_ = nullptr;
  if (!rest.empty() && make_room(rest.size())) {
    std::memcpy(input_, rest.data(), rest.size());
    end_ = static_cast<std::uint32_t>(rest.size());
  }
  return taken;
}

void stream::drop_front() noexcept {
  front().bytes.reset();
  if (++pending_first_ < pending_.size()) return;
  pending_.clear();
  pending_first_ = 0;
  // Also when nobody waits: a connection that goes back to its pool must notice its peer's end.
  if (paused_) arm_receive();
}

void stream::fail_with(error why) noexcept {
  if (failed_) return;
  failed_ = true;
  why_ = why;
}

// True when input() has grown.
bool stream::fill() noexcept {
  if (raw_) return has_pending();
  return tls_ ? fill_tls() : fill_plain();
}

bool stream::fill_plain() noexcept {
  if (!has_pending()) return false;
  chunk& next = front();
  if (begin_ == end_) {
    input_buffer_ = std::move(next.bytes);
    input_ = input_buffer_.text();
    begin_ = next.begin;
    end_ = next.end;
    room_ = static_cast<std::uint32_t>(io::buffer::capacity());
  } else {
    const std::uint32_t size = next.end - next.begin;
    if (!make_room(size)) {
      fail_with(fail(fault::too_large, "more is held than any head may have"));
      return false;
    }
    std::memcpy(input_ + end_, next.bytes.text() + next.begin, size);
    end_ += size;
  }
  drop_front();
  return true;
}

// Room for `bytes` more behind end_: moves what is there to the front, or to the heap.
bool stream::make_room(std::size_t bytes) {
  if (input_ == nullptr) {
    input_buffer_ = loop_.buffers().take();
    input_ = input_buffer_.text();
    room_ = static_cast<std::uint32_t>(io::buffer::capacity());
  }
  if (room_ - end_ >= bytes) return true;
  const std::uint32_t held = end_ - begin_;
  if (room_ - held >= bytes) {
    std::memmove(input_, input_ + begin_, held);
  } else {
    if (held + bytes > spill_bytes_max) return false;
    const std::size_t wanted =
        std::clamp<std::size_t>(std::size_t{room_} * 2, held + bytes, spill_bytes_max);
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    std::memcpy(larger.get(), input_ + begin_, held);
    input_spill_ = std::move(larger);
    input_buffer_.reset();
    input_ = input_spill_.get();
    room_ = static_cast<std::uint32_t>(wanted);
  }
  begin_ = 0;
  end_ = held;
  return true;
}

void stream::arm_receive() noexcept {
  if (receiving_.in_flight() || ended_ || failed_ || fd_ < 0) return;
  if (pending_.size() - pending_first_ >= pending_chunks_max) paused_ = true;
  if (paused_ && has_pending()) return;
  paused_ = false;
  unseen_ = true;
  if (mode_ == receive_mode::bulk) {
    arm_bulk();
  } else if (mode_ == receive_mode::readiness) {
    arm_readiness();
  } else if (mode_ == receive_mode::single && has_pending()) {
    return;
  } else if (loop_.buffers().may_receive()) {
    // Without a bound the multishot brings half a MiB before anyone is asked: for clients, who may
    // send it while nobody reads, that is too much to hold.
    const bool once = mode_ == receive_mode::single ||
                      (side_ == origin::downstream && !loop_.kernel().bounds_receive());
    once ? loop_.kernel().receive_once(receiving_, fd_) : loop_.kernel().receive(receiving_, fd_);
  } else if (!starving_.waiting()) {
    loop_.buffers().wait(starving_);
  }
}

void stream::arm_bulk() noexcept {
  // What is held comes first, and what nobody waits for stays with the peer.
  if (!reader_ || has_pending()) return;
  if (room_ - end_ < bulk_bytes / 2) {
    const std::uint32_t held = end_ - begin_;
    if (input_spill_ && room_ - held >= bulk_bytes / 2) {
      std::memmove(input_, input_ + begin_, held);
    } else {
      auto larger = std::make_unique_for_overwrite<char[]>(held + bulk_bytes);
      if (held > 0) std::memcpy(larger.get(), input_ + begin_, held);
      input_spill_ = std::move(larger);
      input_buffer_.reset();
      input_ = input_spill_.get();
      room_ = held + static_cast<std::uint32_t>(bulk_bytes);
    }
    begin_ = 0;
    end_ = held;
  }
  under_way_ = receive_mode::bulk;
  loop_.kernel().receive_into(
      receiving_, fd_, std::as_writable_bytes(std::span(input_ + end_, std::size_t{room_} - end_)));
}

void stream::receive_as(receive_mode how) noexcept {
  if (mode_ == how || tls_ || carried_) return;
  mode_ = how;
  if (begin_ == end_) consume(0);
  if (how == receive_mode::bulk || how == receive_mode::readiness) starving_.leave();
  if (!receiving_.in_flight()) {
    arm_receive();
  } else if (how != receive_mode::pooled) {
    loop_.kernel().cancel(receiving_);  // what it still brings is kept, and read first
  }
}

void stream::on_buffer(io::buffer_waiter& waiter) {
  static_cast<owned<io::buffer_waiter>&>(waiter).owner.arm_receive();
}

void stream::keep(io::buffer bytes, std::uint32_t size) {
  if (has_pending() && size <= joined_bytes_max &&
      size <= io::buffer::capacity() - pending_.back().end) {
    chunk& last = pending_.back();
    std::memcpy(last.bytes.data() + last.end, bytes.data(), size);
    last.end += size;
    return;
  }
  forget_read_chunks();
  pending_.push_back({std::move(bytes), 0, size});
}

void stream::forget_read_chunks() {
  if (pending_first_ < pending_chunks_max) return;
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(pending_first_));
  pending_first_ = 0;
}

// True when input() has grown by it.
bool stream::take_completion(io::completion what) noexcept {
  const receive_mode how = std::exchange(under_way_, receive_mode::pooled);
  if (what.more) unseen_ = false;
  if (how == receive_mode::readiness && what.result > 0) {
    if (mode_ == receive_mode::readiness) return true;
    if (!closer_) arm_receive();
    return false;
  }
  const bool bulk = how == receive_mode::bulk;
  if (bulk && what.result > 0) {
    end_ += static_cast<std::uint32_t>(what.result);
    bytes_received_ += static_cast<std::uint32_t>(what.result);
  }
  if (what.buffer >= 0) {
    const auto size = static_cast<std::uint32_t>(std::max(what.result, 0));
    io::buffer bytes = loop_.buffers().claim(what.buffer, size);
    bytes_received_ += size;
    // What comes after a close_notify was never said.
    if (size > 0 && !ended_) keep(std::move(bytes), size);
  }
  if (what.result == 0) {
    ended_ = true;
  } else if (what.result < 0 && what.result != -ECANCELED && what.result != -ENOBUFS) {
    fail_with(io::kernel_error(-what.result, side_));
  }
  if (closer_) return false;
  if (bulk && what.result > 0) return true;
  if (!what.more) {
    arm_receive();  // ended for want of a buffer, or because enough was held
  } else if (pending_.size() - pending_first_ >= pending_chunks_max && !paused_) {
    paused_ = true;
    loop_.kernel().cancel(receiving_);
  }
  return false;
}

void stream::on_received(io::operation& op, io::completion what) {
  stream& self = static_cast<owned<io::operation>&>(op).owner;
  const bool grown_in_bulk = self.take_completion(what);
  // What follows may destroy this stream: nothing of it is touched after a resumption.
  if (self.closer_) {
    if (!what.more) std::exchange(self.closer_, {}).resume();
    return;
  }
  if (self.hangup_target_ != nullptr) {
    // A close_notify is still ciphertext: only decrypted does it say that nothing follows.
    if (self.ended_ && self.tls_ && !self.reader_) self.fill();
    if (self.failed_ || self.ended()) {
      std::exchange(self.hangup_target_, nullptr)->abort(fault::canceled);
    }
  }
  if (self.resting_ && self.tls_ && !self.reader_) self.fill();
  if (!self.reader_) return;
  const bool grown = grown_in_bulk || self.fill();
  if (grown || self.failed_ || self.ended_) {
    if (grown) self.reader_wake_ = wake::grown;
    self.receive_timer_.disarm();
    std::exchange(self.reader_, {}).resume();
  }
}

void stream::on_receive_deadline(io::timer& timer) {
  stream& self = static_cast<owned<io::timer>&>(timer).owner;
  self.reader_wake_ = wake::deadline;
  std::exchange(self.reader_, {}).resume();
}

bool stream::receive_awaiter::await_ready() noexcept {
  stream_.resting_ = false;
  if (stream_.carried_) carried_stream::of(stream_).on_receive();
  grown_ = !stream_.cut_ && (stream_.fill() || stream_.complete_);
  return grown_ || stream_.failed_ || stream_.ended_;
}

void stream::receive_awaiter::await_suspend(std::coroutine_handle<> awaiting) noexcept {
  RW_ASSERT(!stream_.reader_);
  stream_.reader_ = awaiting;
  stream_.reader_wake_ = wake::state;
  stream_.arm_receive();
  if (deadline_ != mono_time::max()) stream_.loop_.timers().arm(stream_.receive_timer_, deadline_);
}

result<> stream::receive_awaiter::await_resume() noexcept {
  if (grown_) return {};
  const wake why = std::exchange(stream_.reader_wake_, wake::state);
  if (why == wake::grown) return {};
  if (why == wake::deadline) {
    return failure(stream_.fail(fault::timed_out, "nothing came in time"));
  }
  if (why == wake::interrupt) return failure(stream_.fail(fault::canceled, "interrupted"));
  if (stream_.failed_) return failure(stream_.why_);
  return failure(stream_.fail(fault::closed, "the peer closed the connection"));
}

void stream::receive_by(mono_time deadline) noexcept {
  if (reader_) loop_.timers().arm(receive_timer_, deadline);
}

void stream::interrupt_receive() noexcept {
  if (!reader_) return;
  receive_timer_.disarm();
  reader_wake_ = wake::interrupt;
  loop_.defer(std::exchange(reader_, {}));
}

void stream::abort(fault why) noexcept {
  cut_ = true;
  fail_with(fail(why, "ended by the other side of the exchange"));
  if (hangup_target_ != nullptr) std::exchange(hangup_target_, nullptr)->abort(fault::canceled);
  if (reader_) {
    receive_timer_.disarm();
    loop_.defer(std::exchange(reader_, {}));
  }
  if (sending_ != nullptr) loop_.kernel().cancel(*sending_);
  if (carried_) carried_stream::of(*this).give_up(why);
}

void stream::abort_on_hangup(stream* other) noexcept {
  hangup_target_ = other;
  if (other == nullptr) return;
  if (failed_ || ended()) {
    std::exchange(hangup_target_, nullptr)->abort(fault::canceled);
    return;
  }
  arm_receive();
}

io::task<> stream::close() {
  if (fd_ < 0) co_return;
  RW_ASSERT(!reader_ && sending_ == nullptr);
  hangup_target_ = nullptr;
  starving_.leave();
  if (receiving_.in_flight()) {
    // close() with a receive pending would send no FIN. Nor is one due to a peer that is cut off.
    if (!cut_) loop_.kernel().shutdown(fd_);
    loop_.kernel().cancel(receiving_);
    struct quiet {
      stream& s;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> h) const noexcept { s.closer_ = h; }
      void await_resume() const noexcept {}
    };
    co_await quiet{*this};
  }
  mode_ = receive_mode::pooled;
  const int fd = std::exchange(fd_, -1);
  cut_ ? loop_.kernel().reset(fd) : loop_.kernel().close(fd);
  consume(end_ - begin_);
  while (has_pending()) drop_front();
}

}  // namespace rw::net
