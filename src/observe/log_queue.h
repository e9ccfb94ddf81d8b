// Log lines on their way from one worker to the writer thread: a ring of bytes, filled in place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace rw::observe {

// One producer, one consumer. Never blocks: a line that finds no room is dropped and counted.
class log_queue {
 public:
  // `bytes` is rounded up to a power of two.
  explicit log_queue(std::size_t bytes);

  // ---- the worker
  // Room for one line in one piece; empty when there is none, and the line is lost.
  std::span<char> reserve(std::size_t bytes_max) noexcept;
  // The first `bytes` of what was reserved are a line.
  void commit(std::size_t bytes) noexcept;
  // Whether so many octets are free, what may be wasted where the ring wraps among them.
  bool has_room(std::size_t bytes) noexcept;
  // A line that was not even tried.
  void drop() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

  // ---- the writer
  // What has been committed, up to where the ring wraps; give back what was written.
  std::span<const char> readable() const noexcept;
  void release(std::size_t bytes) noexcept;

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<std::uint64_t> tail_ = 0;  // the producer's
  std::uint64_t head_seen_ = 0;
  std::uint64_t reserved_at_ = 0;
  std::atomic<std::uint64_t> wrap_ = UINT64_MAX;  // where the last lap's lines end
  std::atomic<std::uint64_t> dropped_ = 0;
  alignas(64) std::atomic<std::uint64_t> head_ = 0;  // the consumer's
};

}  // namespace rw::observe
