#include "io/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "io/ring.h"

namespace rw::io {

void buffer_waiter::leave() noexcept {
  if (link_ == nullptr) return;
  *link_ = next_;
  (next_ != nullptr ? next_->link_ : pool_->waiting_end_) = link_;
  link_ = nullptr;
  next_ = nullptr;
}

void buffer::reset() noexcept {
  if (data_ == nullptr) return;
  pool_->give_back(data_);
  data_ = nullptr;
}

buffer_pool::buffer_pool(ring& kernel, std::size_t bytes)
    : kernel_(kernel),
      count_(static_cast<unsigned>(std::clamp<std::size_t>(bytes / buffer_bytes, 16, 32'768))) {
  void* memory = mmap(nullptr, count_ * buffer_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  RW_ASSERT(memory != MAP_FAILED);
  memory_ = static_cast<std::byte*>(memory);
  free_.reserve(count_);
  for (unsigned i = count_; i-- > 0;) free_.push_back(static_cast<std::uint16_t>(i));
  replenish();
}

buffer_pool::~buffer_pool() {
  RW_ASSERT(in_use_ == 0);
  munmap(memory_, count_ * buffer_bytes);
}

buffer buffer_pool::from_heap_buffer() {
  auto* data = static_cast<std::byte*>(::operator new(buffer_bytes));
  ++from_heap_;
  ++in_use_;
  return {this, data};
}

buffer buffer_pool::take() {
  if (is_half_used()) return from_heap_buffer();
  const std::uint16_t id = free_.back();
  free_.pop_back();
  ++in_use_;
  return {this, at(id)};
}

buffer buffer_pool::claim(std::int32_t id, std::size_t bytes) {
  RW_ASSERT(id >= 0 && static_cast<unsigned>(id) < count_ && offered_ > 0);
  RW_ASSERT(bytes <= buffer_bytes);
  const auto received = static_cast<std::uint16_t>(id);
  --offered_;
  if (is_half_used()) {
    buffer copy = from_heap_buffer();
    std::memcpy(copy.data(), at(received), bytes);
    free_.push_back(received);
    return copy;
  }
  ++in_use_;
  return {this, at(received)};
}

void buffer_pool::give_back(std::byte* data) noexcept {
  --in_use_;
  if (data < memory_ || data >= memory_ + count_ * buffer_bytes) {
    ::operator delete(data);
    return;
  }
  free_.push_back(
      static_cast<std::uint16_t>(static_cast<std::size_t>(data - memory_) / buffer_bytes));
}

void buffer_pool::wait(buffer_waiter& waiter) noexcept {
  RW_ASSERT(waiter.link_ == nullptr);
  *waiting_end_ = &waiter;
  waiter.link_ = waiting_end_;
  waiter.pool_ = this;
  waiting_end_ = &waiter.next_;
}

void buffer_pool::replenish() {
  const unsigned most = std::min(offered_max, count_ / 2);
  while (offered_ < most && !free_.empty()) {
    const std::uint16_t id = free_.back();
    free_.pop_back();
    kernel_.offer(id, {at(id), buffer_bytes});
    ++offered_;
  }
  for (unsigned woken = 0; waiting_ != nullptr && woken < offered_; ++woken) {
    buffer_waiter& first = *waiting_;
    first.leave();
    first.on_buffer_(first);
  }
}

}  // namespace rw::io
