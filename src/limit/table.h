// The entries of one limit, budgets, counts of requests under way or leases: fixed memory, shared
// by all workers, no locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "limit/cells.h"
#include "limit/key.h"
#include "limit/lease.h"
#include "limit/pace.h"
#include "limit/set.h"
#include "limit/slots.h"

namespace rw::limit {

// Any thread may call anything; nothing allocates after the constructor, nothing waits.
class table {
 public:
  // `capacity` entries in all, rounded up to whole sets in every one of `shards` shards. The memory
  // is zero pages until touched. Aborts when there is none.
  table(std::uint32_t capacity, unsigned shards) : cells_(capacity, shards) {}

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

  // For who looks at all keys: appends those of `sets` sets from the set `first` on whose `when` is
  // later than `floor`. What is being inserted or changes meanwhile may be missed, or be there as
  // it was before.
  struct holder {
    key who;
    std::uint64_t when = 0;
  };
  std::size_t sets() const noexcept { return cells_.sets(); }
  void look(std::size_t first, std::size_t sets, std::uint64_t floor,
            std::vector<holder>& out) const;

  std::size_t capacity() const noexcept { return cells_.capacity(); }  // in entries, as rounded
  unsigned shards() const noexcept { return cells_.shards(); }
  // Entries that gave way while they still owed.
  std::uint64_t forgiven() const noexcept { return cells_.forgiven(); }

 private:
  cells cells_;
};

}  // namespace rw::limit
