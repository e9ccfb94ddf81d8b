// The clients of one worker and listener that have nothing under way: when there are too many,
// whoever has waited longest gives way to who comes.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "base/clock.h"

namespace rw::gateway {

// What a connection is in the list by. It waits from its beginning, or its last answer, until the
// head of a request is complete.
struct waiting_client {
  mono_time since;
  waiting_client* earlier = nullptr;
  waiting_client* later = nullptr;
  bool waits = false;  // is in the list; last, where a connection's own flags have room beside it
};

inline constexpr std::int64_t nobody_waits = std::numeric_limits<std::int64_t>::max();

// In the order in which they began to wait. Of one thread; nothing allocates.
class waiting_list {
 public:
  // `told`: where other threads find since when the first of them waits, by its clock's ticks, or
  // nobody_waits. Null: nobody asks.
  explicit waiting_list(std::atomic<std::int64_t>* told) noexcept : told_(told) {}

  void add(waiting_client& one, mono_time now) noexcept;
  void remove(waiting_client& one) noexcept;  // nothing when it does not wait
  // Who has waited longest; null: nobody waits.
  waiting_client* longest() const noexcept { return first_; }

 private:
  void tell() noexcept;

  std::atomic<std::int64_t>* told_;
  waiting_client* first_ = nullptr;
  waiting_client* last_ = nullptr;
};

}  // namespace rw::gateway
