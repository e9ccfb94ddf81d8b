// The entries of one limit, budgets, counts of requests under way or leases: fixed memory, shared
// by all workers, no locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "limit/key.h"
#include "limit/lease.h"
#include "limit/pace.h"
#include "limit/set.h"
#include "limit/slots.h"

namespace rw::limit {

inline constexpr unsigned set_ways = 8;  // 8 cells of 16 bytes: two cache lines

// Whether this processor swaps 128 bits at once (cmpxchg16b: every x86-64 since 2006; always on
// aarch64). A table must not be made where it does not.
bool wide_swap_supported() noexcept;

// Any thread may call anything; nothing allocates after the constructor, nothing waits.
class table {
 public:
  // `capacity` entries in all, rounded up to whole sets in every one of `shards` shards. The memory
  // is zero pages until touched. Aborts when there is none.
  table(std::uint32_t capacity, unsigned shards);
  ~table();
  table(const table&) = delete;
  table& operator=(const table&) = delete;

  outcome take(key who, std::uint64_t now, const pace& pace) noexcept;
  outcome peek(key who, std::uint64_t now, const pace& pace) noexcept;
  void give_back(key who, std::uint64_t amount_ns) noexcept;

  void raise(key who, std::uint64_t now, std::uint64_t when) noexcept;

  // For a table of leases: limit/lease.h.
  spending spend(key who, std::uint64_t now, std::uint64_t most) noexcept;
  void deposit(key who, std::uint64_t now, std::uint64_t credits, std::uint64_t most,
               deposit_of what) noexcept;
  std::uint64_t held(key who, std::uint64_t now) noexcept;

  // For a table that counts. leave() once for each that entered.
  entrance enter(key who, std::uint64_t most) noexcept;
  void leave(key who) noexcept;
  std::uint64_t count(key who) noexcept;

  std::size_t capacity() const noexcept;  // in entries, as rounded
  unsigned shards() const noexcept { return shard_count_; }
  // Entries that gave way while they still owed.
  std::uint64_t forgiven() const noexcept;

 private:
  struct released {
    void operator()(void* memory) const noexcept { std::free(memory); }  // NOLINT: calloc's
  };
  struct shard;
  struct view;  // one set, as the algorithm's Memory

  view locate(key who) noexcept;

  unsigned shard_count_;
  std::uint64_t sets_per_shard_;
  std::unique_ptr<shard[]> shards_;
};

}  // namespace rw::limit
