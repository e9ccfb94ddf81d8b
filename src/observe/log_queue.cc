#include "observe/log_queue.h"

#include <algorithm>
#include <bit>

namespace rw::observe {

log_queue::log_queue(std::size_t bytes)
    : size_(std::bit_ceil(std::max<std::size_t>(bytes, 4096))),
      bytes_(std::make_unique_for_overwrite<char[]>(size_)) {}

// Positions count bytes since the start and only grow; a line that would be cut by the ring's end
// starts at its beginning instead, and `wrap_` says how far the lap before it goes.
std::span<char> log_queue::reserve(std::size_t bytes_max) noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::size_t at = tail & (size_ - 1);
  const std::uint64_t start = at + bytes_max <= size_ ? tail : tail + (size_ - at);
  if (start + bytes_max - head_seen_ > size_) {
    head_seen_ = head_.load(std::memory_order_acquire);
    if (start + bytes_max - head_seen_ > size_) {
      drop();
      return {};
    }
  }
  reserved_at_ = start;
  return {bytes_.get() + (start & (size_ - 1)), bytes_max};
}

bool log_queue::has_room(std::size_t bytes) noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail + bytes - head_seen_ <= size_) return true;
  head_seen_ = head_.load(std::memory_order_acquire);
  return tail + bytes - head_seen_ <= size_;
}

void log_queue::commit(std::size_t bytes) noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (reserved_at_ != tail) wrap_.store(tail, std::memory_order_relaxed);
  tail_.store(reserved_at_ + bytes, std::memory_order_release);
}

std::span<const char> log_queue::readable() const noexcept {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  const std::uint64_t tail = tail_.load(std::memory_order_acquire);
  if (head == tail) return {};
  const std::size_t at = head & (size_ - 1);
  const std::uint64_t lap_end = head + (size_ - at);
  if (tail <= lap_end) return {bytes_.get() + at, static_cast<std::size_t>(tail - head)};
  const std::uint64_t wrap = wrap_.load(std::memory_order_relaxed);
  if (wrap > head && wrap <= lap_end) {
    return {bytes_.get() + at, static_cast<std::size_t>(wrap - head)};
  }
  if (wrap == head) return {bytes_.get(), static_cast<std::size_t>(tail - lap_end)};
  return {bytes_.get() + at, static_cast<std::size_t>(lap_end - head)};
}

void log_queue::release(std::size_t bytes) noexcept {
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  const std::size_t at = head & (size_ - 1);
  const std::uint64_t tail = tail_.load(std::memory_order_acquire);
  const std::uint64_t lap_end = head + (size_ - at);
  if (tail > lap_end && wrap_.load(std::memory_order_relaxed) == head) head = lap_end;
  head_.store(head + bytes, std::memory_order_release);
}

}  // namespace rw::observe
