#include "limit/table.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <new>

#include "base/assert.h"

#if !defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
#error "limit/ needs a 128-bit compare-and-swap: on x86-64 pass -mcx16"
#endif

namespace rw::limit {

namespace {

constexpr std::size_t line_bytes = 128;  // two cache lines: what a processor fetches together

// A cell and the integer the processor swaps are one and the same memory.
using wide [[gnu::may_alias]] = unsigned __int128;
using half [[gnu::may_alias]] = std::uint64_t;

wide to_wide(const cell& c) noexcept { return (wide{c.when} << 64U) | c.tag; }
cell to_cell(wide w) noexcept {
  return {static_cast<std::uint64_t>(w), static_cast<std::uint64_t>(w >> 64U)};
}

static_assert(sizeof(cell) == 16 && sizeof(wide) == 16);
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cell's layout is to_wide()'s");

}  // namespace

bool wide_swap_supported() noexcept {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_CMPXCHG16B) != 0;
#else
  return true;
#endif
}

struct alignas(line_bytes) table::shard {
  std::unique_ptr<void, released> memory;
  std::byte* sets = nullptr;  // inside `memory`, aligned to line_bytes
  // Written by insertions alone, away from the line above that every request reads.
  alignas(line_bytes) std::atomic<std::uint64_t> stamps{0};
  std::atomic<std::uint64_t> forgiven{0};
};

struct table::view {
  static constexpr unsigned ways = set_ways;

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
    return owner->stamps.fetch_add(1, std::memory_order_relaxed);
  }
  void forgave() const noexcept { owner->forgiven.fetch_add(1, std::memory_order_relaxed); }

  half* word(unsigned i) const noexcept {
    return reinterpret_cast<half*>(cells) + std::size_t{2} * i;
  }

  std::byte* cells;
  shard* owner;
};

table::table(std::uint32_t capacity, unsigned shards) : shard_count_(shards) {
  RW_ASSERT(shards > 0);
  RW_ASSERT(wide_swap_supported());
  static_assert(sizeof(cell) * set_ways == line_bytes);
  const std::uint64_t per_set = std::uint64_t{set_ways} * shards;
  sets_per_shard_ = std::max<std::uint64_t>((capacity + per_set - 1) / per_set, 1);
  shards_ = std::make_unique<shard[]>(shards);
  for (unsigned i = 0; i < shards; ++i) {
    const std::size_t bytes = sets_per_shard_ * line_bytes;
    // calloc: zero pages that cost nothing until a key is put there. NOLINTNEXTLINE
    shards_[i].memory.reset(std::calloc(1, bytes + line_bytes));
    void* start = shards_[i].memory.get();
    std::size_t room = bytes + line_bytes;
    RW_ASSERT(start != nullptr);
    shards_[i].sets = static_cast<std::byte*>(std::align(line_bytes, bytes, start, room));
  }
}

table::~table() = default;

// The hash is a fraction of 1: its first part chooses the shard, what is left of it the set.
table::view table::locate(key who) noexcept {
  const wide scaled = wide{who.hash} * shard_count_;
  shard& owner = shards_[static_cast<std::size_t>(scaled >> 64U)];
  const wide set = (wide{static_cast<std::uint64_t>(scaled)} * sets_per_shard_) >> 64U;
  return {.cells = owner.sets + static_cast<std::size_t>(set) * line_bytes, .owner = &owner};
}

outcome table::take(key who, std::uint64_t now, const pace& pace) noexcept {
  view set = locate(who);
  return limit::take(set, who.hash, now, pace);
}

outcome table::peek(key who, std::uint64_t now, const pace& pace) noexcept {
  view set = locate(who);
  return limit::peek(set, who.hash, now, pace);
}

void table::give_back(key who, std::uint64_t amount_ns) noexcept {
  view set = locate(who);
  limit::give_back(set, who.hash, amount_ns);
}

void table::raise(key who, std::uint64_t now, std::uint64_t when) noexcept {
  view set = locate(who);
  limit::raise(set, who.hash, now, when);
}

spending table::spend(key who, std::uint64_t now, std::uint64_t most) noexcept {
  view set = locate(who);
  return limit::spend(set, who.hash, now, most);
}

void table::deposit(key who, std::uint64_t now, std::uint64_t credits, std::uint64_t most,
                    deposit_of what) noexcept {
  view set = locate(who);
  limit::deposit(set, who.hash, now, credits, most, what);
}

std::uint64_t table::held(key who, std::uint64_t now) noexcept {
  view set = locate(who);
  return limit::held(set, who.hash, now);
}

entrance table::enter(key who, std::uint64_t most) noexcept {
  view set = locate(who);
  return limit::enter(set, who.hash, most);
}

void table::leave(key who) noexcept {
  view set = locate(who);
  limit::leave(set, who.hash);
}

std::uint64_t table::count(key who) noexcept {
  view set = locate(who);
  return limit::count(set, who.hash);
}

std::size_t table::capacity() const noexcept {
  return static_cast<std::size_t>(sets_per_shard_) * shard_count_ * set_ways;
}

std::uint64_t table::forgiven() const noexcept {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < shard_count_; ++i) {
    sum += shards_[i].forgiven.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace rw::limit
