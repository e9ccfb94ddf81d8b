#include "gateway/balance.h"

#include <utility>

namespace rw::gateway {

std::size_t who_serves(std::span<const worker_load> all, std::size_t own) noexcept {
  const auto read = [all](std::size_t i) {
    return std::pair{all[i].saturated.load(std::memory_order_relaxed),
                     all[i].clients.load(std::memory_order_relaxed)};
  };
  const auto mine = read(own);
  std::size_t least = own;
  auto least_load = mine;
  // From the next one on: of several that have as little, everybody begins with another.
  for (std::size_t k = 1; k < all.size(); ++k) {
    const std::size_t i = (own + k) % all.size();
    const auto load = read(i);
    if (load >= least_load || !all[i].takes.load(std::memory_order_acquire)) continue;
    least = i;
    least_load = load;
  }
  if (mine.first != least_load.first) return least;
  const std::uint32_t slack = 1 + least_load.second / 16;
  return mine.second > least_load.second + slack ? least : own;
}

std::size_t who_makes_room(std::span<const worker_load> all, std::size_t own,
                           std::uint32_t listener) noexcept {
  std::size_t first = own;
  std::int64_t since = all[own].waits_since[listener].load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].takes.load(std::memory_order_acquire)) continue;
    const std::int64_t other = all[i].waits_since[listener].load(std::memory_order_relaxed);
    if (other >= since) continue;
    first = i;
    since = other;
  }
  return first;
}

void client_place::give_back() const noexcept {
  at_listener->fetch_sub(1, std::memory_order_relaxed);
  in_process->open.fetch_sub(1, std::memory_order_relaxed);
  (*loads)[worker].clients.fetch_sub(1, std::memory_order_relaxed);
}

bool saturation::since_last(mono_time now, nanoseconds worked) noexcept {
  const nanoseconds passed = now - std::exchange(at_, now);
  const nanoseconds busy = worked - std::exchange(worked_, worked);
  if (!std::exchange(begun_, true)) return false;
  return static_cast<double>(busy.count()) >= saturated_from * static_cast<double>(passed.count());
}

}  // namespace rw::gateway
