#include "observe/counters.h"

#include <algorithm>
#include <bit>

namespace rw::observe {

void histogram::record(nanoseconds took) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0));
  // Bounds are inclusive: one nanosecond less, so that a bound itself still has the lower width.
  const std::uint64_t units = (ns - (ns != 0 ? 1 : 0)) / (first_bound_us * 1000);
  bucket_[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(units)), buckets - 1)]
      .add();
  sum_ns_.add(ns);
}

histograms::~histograms() {
  for (const auto& one : of_) delete one.load(std::memory_order_relaxed);
}

void histograms::record(std::uint32_t id, nanoseconds took) {
  histogram* one = of_[id].load(std::memory_order_relaxed);
  if (one == nullptr) {
    one = new histogram;
    of_[id].store(one, std::memory_order_release);
  }
  one->record(took);
}

void reason_table::add(const char* reason) noexcept {
  for (std::size_t i = 0; i + 1 < capacity; ++i) {
    const char* held = entries_[i].reason.load(std::memory_order_relaxed);
    if (held == nullptr) {
      entries_[i].reason.store(reason, std::memory_order_release);
      held = reason;
    }
    if (held == reason) {
      entries_[i].count.add();
      return;
    }
  }
  entries_.back().reason.store("other", std::memory_order_release);
  entries_.back().count.add();
}

}  // namespace rw::observe
