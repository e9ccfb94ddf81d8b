#include "gateway/waiting_list.h"

#include "base/assert.h"

namespace rw::gateway {

void waiting_list::add(waiting_client& one, mono_time now) noexcept {
  RW_ASSERT(!one.waits);
  one.waits = true;
  one.since = now;
  one.earlier = last_;
  one.later = nullptr;
  (last_ != nullptr ? last_->later : first_) = &one;
  last_ = &one;
  if (first_ == &one) tell();
}

void waiting_list::remove(waiting_client& one) noexcept {
  if (!one.waits) return;
  one.waits = false;
  const bool was_first = first_ == &one;
  (one.earlier != nullptr ? one.earlier->later : first_) = one.later;
  (one.later != nullptr ? one.later->earlier : last_) = one.earlier;
  if (was_first) tell();
}

void waiting_list::tell() noexcept {
  if (told_ == nullptr) return;
  told_->store(first_ != nullptr ? first_->since.time_since_epoch().count() : nobody_waits,
               std::memory_order_relaxed);
}

}  // namespace rw::gateway
