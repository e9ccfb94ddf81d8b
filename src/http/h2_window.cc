#include "http/h2_window.h"

#include <algorithm>

namespace rw::http {

bool window_pool::lend(std::uint64_t octets) noexcept {
  if (octets > free_) return false;
  free_ -= octets;
  return true;
}

bool receive_window::drained(std::uint64_t octets, mono_time now) noexcept {
  if (since_ == mono_time{}) since_ = now;  // of the first window only what follows is timed
  octets_ += octets;
  if (octets_ < size_) return false;
  took_ = now - since_;
  since_ = now;
  octets_ = 0;
  return true;
}

bool receive_window::grow(nanoseconds round_trip) noexcept {
  if (took_ > 2 * std::max(round_trip, least_round_trip)) return false;
  const std::uint32_t wanted = std::min(2 * size_, most);
  if (wanted == size_ || !from_.lend(wanted - size_)) return false;
  size_ = wanted;
  return true;
}

void receive_window::give_back() noexcept {
  from_.give_back(size_ - first);
  size_ = first;
}

}  // namespace rw::http
