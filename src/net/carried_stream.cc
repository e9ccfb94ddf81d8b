#include "net/carried_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace rw::net {

carried_stream::carried_stream(io::loop& on, origin side) noexcept : stream(on, -1, side) {
  carried_ = true;
}

char* carried_stream::extend(std::size_t bytes) {
  RW_ASSERT(begin_ == end_ && !has_pending());
  if (!make_room(bytes)) return nullptr;
  end_ += static_cast<std::uint32_t>(bytes);
  return input_ + begin_;
}

void carried_stream::feed(std::string_view bytes) {
  bytes_received_ += bytes.size();
  // Behind what is there already, so that a small body is in one piece with its head.
  if (!has_pending() && begin_ != end_ && bytes.size() <= room_ - end_) {
    std::memcpy(input_ + end_, bytes.data(), bytes.size());
    end_ += static_cast<std::uint32_t>(bytes.size());
    return wake_reader();
  }
  while (!bytes.empty()) {
    if (!has_pending() || pending_.back().end == io::buffer::capacity()) {
      forget_read_chunks();
      pending_.push_back({loop_.buffers().take(), 0, 0});
    }
    chunk& last = pending_.back();
    const std::size_t size = std::min(bytes.size(), io::buffer::capacity() - last.end);
    std::memcpy(last.bytes.data() + last.end, bytes.data(), size);
    last.end += static_cast<std::uint32_t>(size);
    bytes.remove_prefix(size);
  }
  wake_reader();
}

void carried_stream::feed_end() noexcept {
  complete_ = true;
  wake_reader();
}

void carried_stream::break_off(const char* text) noexcept {
  fail_with(fail(fault::malformed, text));
  abort(fault::malformed);
}

void carried_stream::end_with(const error& why) noexcept {
  fail_with(why);
  abort(why.code);
}

void carried_stream::end_sending_with(const error& why) noexcept {
  fail_with(why);
  end_send(failure(why_));
}

std::size_t carried_stream::held() const noexcept {
  std::size_t sum = end_ - begin_;
  for (std::size_t i = pending_first_; i < pending_.size(); ++i) {
    sum += pending_[i].end - pending_[i].begin;
  }
  return sum;
}

void carried_stream::wake_reader() noexcept {
  if (!reader_) return;
  fill();
  receive_timer_.disarm();
  reader_wake_ = wake::grown;
  loop_.defer(std::exchange(reader_, {}));
}

bool carried_stream::begin_send(send_awaiter& by) {
  RW_ASSERT(sender_ == nullptr);
  if (on_send(by.pieces_, std::exchange(last_send_, false))) return true;
  sender_ = &by;
  look_again();
  return false;
}

std::size_t carried_stream::take(std::span<char> room) noexcept {
  if (sender_ == nullptr) return 0;
  std::size_t size = 0;
  bool all = true;
  for (std::string_view& piece : sender_->pieces_) {
    const std::size_t taken = std::min(piece.size(), room.size() - size);
    if (taken > 0) std::memcpy(room.data() + size, piece.data(), taken);
    piece.remove_prefix(taken);
    size += taken;
    all = all && piece.empty();
  }
  bytes_sent_ += size;
  all ? end_send({}) : look_again();
  return size;
}

void carried_stream::end_send(result<> how) noexcept {
  if (sender_ == nullptr) return;
  gap_timer_.disarm();
  sender_->outcome_ = std::move(how);
  loop_.defer(std::exchange(sender_, nullptr)->awaiting_);
}

void carried_stream::give_up(fault why) noexcept {
  end_send(failure(why_));
  on_abort(why);
}

void carried_stream::look_again() noexcept {
  loop_.timers().arm(gap_timer_, loop_.now() + sender_->gap_.length());
}

void carried_stream::on_gap(io::timer& timer) {
  carried_stream& self = static_cast<gap_timer&>(timer).owner;
  if (!self.is_stuck()) return self.look_again();
  self.fail_with(self.fail(fault::timed_out, "the peer takes nothing"));
  self.abort(fault::timed_out);
}

}  // namespace rw::net
