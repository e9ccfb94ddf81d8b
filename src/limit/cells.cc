#include "limit/cells.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/assert.h"

#if !defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
#error "limit/ needs a 128-bit compare-and-swap: on x86-64 pass -mcx16"
#endif

namespace rw::limit {

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

cells::cells(std::uint32_t capacity, unsigned shards) : shard_count_(shards) {
  RW_ASSERT(shards > 0);
  RW_ASSERT(wide_swap_supported());
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

std::uint64_t cells::forgiven() const noexcept {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < shard_count_; ++i) {
    sum += shards_[i].forgiven.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace rw::limit
