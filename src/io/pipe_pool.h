// Pipes for splice(2): what moves bytes between two sockets without a copy.
#pragma once

#include <cstddef>
#include <vector>

#include "io/ring.h"

namespace rw::io {

class pipe_pool;

// One that was lent, with what is in it. Given back when it goes, or closed if it is not empty.
class pipe {
 public:
  pipe() noexcept = default;
  pipe(pipe&& other) noexcept { *this = std::move(other); }
  pipe& operator=(pipe&& other) noexcept;
  ~pipe() { release(); }

  explicit operator bool() const noexcept { return pool_ != nullptr; }
  const pipe_ends& ends() const noexcept { return ends_; }
  std::size_t held() const noexcept { return held_; }  // bytes in it
  void filled(std::size_t bytes) noexcept { held_ += bytes; }
  void drained(std::size_t bytes) noexcept { held_ -= bytes; }

 private:
  friend class pipe_pool;
  pipe(pipe_pool& from, const pipe_ends& ends) noexcept : pool_(&from), ends_(ends) {}
  void release() noexcept;

  pipe_pool* pool_ = nullptr;
  pipe_ends ends_;
  std::size_t held_ = 0;
};

// Of one thread; outlives what it lends. At most `lent_max` are out at a time, and as many are
// kept, so a worker has at most 2 * lent_max descriptors here.
class pipe_pool {
 public:
  static constexpr std::size_t lent_max = 32;
  static constexpr std::size_t pipe_bytes = 256U << 10U;

  explicit pipe_pool(ring& kernel) noexcept : kernel_(kernel) {}
  ~pipe_pool();
  pipe_pool(const pipe_pool&) = delete;
  pipe_pool& operator=(const pipe_pool&) = delete;

  // Nothing when too many are out or the kernel has none worth having (no descriptors, or the
  // user's share of pipe memory is used up): the caller copies instead.
  pipe take() noexcept;
  std::size_t lent() const noexcept { return lent_; }
  std::size_t kept() const noexcept { return idle_.size(); }

 private:
  friend class pipe;
  static constexpr std::size_t least_bytes = 64U << 10U;  // the default of pipe(7)
  void take_back(const pipe_ends& ends, bool empty) noexcept;
  void close(const pipe_ends& ends) noexcept;

  ring& kernel_;
  std::vector<pipe_ends> idle_;
  std::size_t lent_ = 0;
};

}  // namespace rw::io
