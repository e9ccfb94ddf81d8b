// The memory under the tables of limits and of bans: sets of a few cells each, shared by all
// workers without locks. What is done in one set is set.h, slots.h, strikes.h and sentences.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "limit/set.h"

namespace rw::limit {

inline constexpr unsigned set_ways = 8;  // 8 cells of 16 bytes: two cache lines

// Whether this processor swaps 128 bits at once (cmpxchg16b: every x86-64 since 2006; always on
// aarch64). Cells must not be made where it does not.
bool wide_swap_supported() noexcept;

// Any thread may call anything; nothing allocates after the constructor, nothing waits.
class cells {
 public:
  class view;  // one set, as the algorithms' Memory

  // `capacity` cells in all, rounded up to whole sets in every one of `shards` shards. The memory
  // is zero pages until touched. Aborts when there is none.
  cells(std::uint32_t capacity, unsigned shards);

  // The set that a hash leads to.
  view locate(std::uint64_t hash) const noexcept;
  // Every set, for who looks at all of them.
  std::size_t sets() const noexcept { return sets_per_shard_ * shard_count_; }
  view at(std::size_t set) const noexcept;

  std::size_t capacity() const noexcept { return sets() * set_ways; }
  unsigned shards() const noexcept { return shard_count_; }
  // Keys that gave way while they still counted.
  std::uint64_t forgiven() const noexcept;

 private:
  static constexpr std::size_t line_bytes = 128;  // two cache lines: fetched together
  static_assert(sizeof(cell) * set_ways == line_bytes);

  struct released {
    void operator()(void* memory) const noexcept { std::free(memory); }  // NOLINT: calloc's
  };
  struct alignas(line_bytes) shard {
    std::unique_ptr<void, released> memory;
    std::byte* sets = nullptr;  // inside `memory`, aligned to line_bytes
    // Written by insertions alone, away from the line above that every request reads.
    alignas(line_bytes) std::atomic<std::uint64_t> stamps{0};
    std::atomic<std::uint64_t> forgiven{0};
  };

  unsigned shard_count_;
  std::uint64_t sets_per_shard_;
  std::unique_ptr<shard[]> shards_;
};

// For this folder, which is compiled for a processor that swaps 128 bits.
class cells::view {
 public:
  static constexpr unsigned ways = set_ways;

  view(std::byte* first, shard& owner) noexcept : first_(first), owner_(&owner) {}

  std::uint64_t tag(unsigned i) const noexcept {
    return __atomic_load_n(word(i), __ATOMIC_SEQ_CST);
  }
  std::uint64_t when(unsigned i) const noexcept {
    return __atomic_load_n(word(i) + 1, __ATOMIC_SEQ_CST);
  }
  bool swap(unsigned i, cell& expected, const cell& desired) const noexcept {
    wide old = to_wide(expected);
    auto* target = reinterpret_cast<wide*>(word(i));
    if (__atomic_compare_exchange_n(target, &old, to_wide(desired), false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
      return true;
    }
    expected = to_cell(old);
    return false;
  }
  // A stamp is unique in its shard, and so in each of the shard's sets.
  std::uint64_t stamp() const noexcept {
    return owner_->stamps.fetch_add(1, std::memory_order_relaxed);
  }
  void forgave() const noexcept { owner_->forgiven.fetch_add(1, std::memory_order_relaxed); }

 private:
  // A cell and the integer the processor swaps are one and the same memory.
  __extension__ using wide [[gnu::may_alias]] = unsigned __int128;
  using half [[gnu::may_alias]] = std::uint64_t;
  static_assert(sizeof(cell) == 16 && sizeof(wide) == 16);
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cell's layout is to_wide()'s");

  static wide to_wide(const cell& c) noexcept { return (wide{c.when} << 64U) | c.tag; }
  static cell to_cell(wide w) noexcept {
    return {static_cast<std::uint64_t>(w), static_cast<std::uint64_t>(w >> 64U)};
  }
  half* word(unsigned i) const noexcept {
    return reinterpret_cast<half*>(first_) + std::size_t{2} * i;
  }

  std::byte* first_;
  shard* owner_;
};

// The hash is a fraction of 1: its first part chooses the shard, what is left of it the set.
inline cells::view cells::locate(std::uint64_t hash) const noexcept {
  __extension__ using wide = unsigned __int128;
  const wide scaled = wide{hash} * shard_count_;
  shard& owner = shards_[static_cast<std::size_t>(scaled >> 64U)];
  const wide set = (wide{static_cast<std::uint64_t>(scaled)} * sets_per_shard_) >> 64U;
  return {owner.sets + static_cast<std::size_t>(set) * line_bytes, owner};
}

inline cells::view cells::at(std::size_t set) const noexcept {
  shard& owner = shards_[set / sets_per_shard_];
  return {owner.sets + set % sets_per_shard_ * line_bytes, owner};
}

}  // namespace rw::limit
