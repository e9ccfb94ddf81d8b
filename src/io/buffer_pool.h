// The buffers of one worker: receives fill them, heads are written into them, TLS decrypts into
// them. An idle connection holds none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace rw::io {

class ring;
class buffer_pool;

// A waiting receive that found no buffer; the pool calls back once when there is one again.
class buffer_waiter {
 public:
  using handler = void (*)(buffer_waiter&);
  explicit buffer_waiter(handler on_buffer) noexcept : on_buffer_(on_buffer) {}
  buffer_waiter(const buffer_waiter&) = delete;
  buffer_waiter& operator=(const buffer_waiter&) = delete;
  ~buffer_waiter() { leave(); }
  void leave() noexcept;
  bool waiting() const noexcept { return link_ != nullptr; }

 private:
  friend class buffer_pool;
  handler on_buffer_;
  buffer_pool* pool_ = nullptr;
  buffer_waiter* next_ = nullptr;
  buffer_waiter** link_ = nullptr;  // whatever points at this one, null when not waiting
};

// One buffer, owned. Gone back to its pool when destroyed; must not outlive it.
class buffer {
 public:
  buffer() = default;
  buffer(buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)) {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~buffer() { reset(); }

  void reset() noexcept;
  explicit operator bool() const noexcept { return data_ != nullptr; }
  std::byte* data() const noexcept { return data_; }
  char* text() const noexcept { return reinterpret_cast<char*>(data_); }
  static constexpr std::size_t capacity() noexcept;

 private:
  friend class buffer_pool;
  buffer(buffer_pool* pool, std::byte* data) noexcept : pool_(pool), data_(data) {}
  buffer_pool* pool_ = nullptr;
  std::byte* data_ = nullptr;
};

class buffer_pool {
 public:
  // A TLS record (RFC 8446 5.2: 2^14 + 256 + 5 octets) fits. Not a power of two on purpose: buffers
  // then start in different cache sets.
  static constexpr std::size_t buffer_bytes = 16'640;
  // How many the kernel may hold at a time. Few, so that they stay in the cache.
  static constexpr unsigned offered_max = 128;

  // `bytes` is rounded down to whole buffers; at least 16, at most 32,768 of them.
  buffer_pool(ring& kernel, std::size_t bytes);
  ~buffer_pool();
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;

  // Never fails: when half of the pool is in use the buffer comes from the heap, and is counted.
  buffer take();
  // The buffer that a receive of `bytes` was completed with, now owned by the caller. With half of
  // the pool in use the bytes move to the heap, and the kernel gets its buffer back: what requests
  // hold while they wait must never be all that their answers could be received into.
  buffer claim(std::int32_t id, std::size_t bytes);
  // Calls back, in order, when a buffer can be offered again.
  void wait(buffer_waiter& waiter) noexcept;
  // Once per loop turn: offers what came back to the kernel and wakes waiting receives.
  void replenish();

  // False: a receive started now would find no buffer.
  bool may_receive() const noexcept { return offered_ > 0; }

  unsigned in_use() const noexcept { return in_use_; }  // zero when nothing is under way
  unsigned size() const noexcept { return count_; }
  std::uint64_t from_heap() const noexcept { return from_heap_; }

 private:
  friend class buffer;
  friend class buffer_waiter;
  bool is_half_used() const noexcept { return free_.size() + offered_ <= count_ / 2; }
  buffer from_heap_buffer();
  void give_back(std::byte* data) noexcept;
  std::byte* at(std::uint16_t id) const noexcept { return memory_ + id * buffer_bytes; }

  ring& kernel_;
  std::byte* memory_;
  unsigned count_;
  unsigned offered_ = 0;
  unsigned in_use_ = 0;
  std::uint64_t from_heap_ = 0;
  std::vector<std::uint16_t> free_;  // last in, first out: the warm ones
  buffer_waiter* waiting_ = nullptr;
  buffer_waiter** waiting_end_ = &waiting_;
};

constexpr std::size_t buffer::capacity() noexcept { return buffer_pool::buffer_bytes; }

}  // namespace rw::io
