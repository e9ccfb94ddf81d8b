#include "upstream/health.h"

#include <algorithm>
#include <thread>

namespace rw::upstream {
namespace {

// Of its weight, for one that has just come back: with none it would never be drawn.
constexpr double coldest = 0.1;

}  // namespace

std::string_view name(standing one) noexcept {
  constexpr std::string_view names[] = {"up", "warming", "trying", "ejected", "down", "draining"};
  return names[static_cast<std::size_t>(one)];
}

double server_health::warmth(mono_time now, nanoseconds slow_start) const noexcept {
  const mono_time back = to_time(warm_since_);
  if (back == mono_time{} || now - back >= slow_start) return 1.0;
  const double part = static_cast<double>((now - back).count()) /
                      static_cast<double>(std::max<std::int64_t>(1, slow_start.count()));
  return std::max(coldest, part);
}

standing server_health::now(mono_time at, nanoseconds slow_start) const noexcept {
  if (drained()) return standing::draining;
  if (down()) return standing::down;
  switch (traffic_.load(std::memory_order_relaxed)) {
    case traffic::ejected:
      return standing::ejected;
    case traffic::trying:
      return standing::trying;
    case traffic::in:
      break;
  }
  return warmth(at, slow_start) < 1.0 ? standing::warming : standing::up;
}

bool cluster::any_usable() const noexcept {
  return std::any_of(servers_.begin(), servers_.end(),
                     [](const auto& one) { return one->usable(); });
}

void cluster::changed(server_health& one, const char* why, std::uint32_t status,
                      mono_time now) const noexcept {
  one.why_.store(why, std::memory_order_relaxed);
  one.why_status_.store(status, std::memory_order_relaxed);
  one.set(one.since_, now);
  common_->version.fetch_add(1, std::memory_order_release);
}

void cluster::failed(std::size_t i, const char* why, std::uint32_t status, mono_time now,
                     bool trial) const noexcept {
  server_health& one = at(i);
  auto tried = server_health::traffic::trying;
  if (trial) {
    one.set(one.ejected_until_, now + rules_->eject_for);
    if (one.traffic_.compare_exchange_strong(tried, server_health::traffic::ejected)) {
      return changed(one, why, status, now);
    }
  }
  const std::uint32_t count = one.failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (rules_->eject_after != 0 && count >= rules_->eject_after) eject(one, why, status, now);
}

void cluster::cut(std::size_t i, const char* why, mono_time now) const noexcept {
  server_health& one = at(i);
  const std::uint32_t count = one.cuts_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (rules_->eject_after != 0 && count >= rules_->eject_after) eject(one, why, 0, now);
}

// Nobody waits: when another thread is taking a server out, the next failure asks again.
void cluster::eject(server_health& one, const char* why, std::uint32_t status,
                    mono_time now) const noexcept {
  if (!one.usable() || common_->changing.test_and_set(std::memory_order_acquire)) return;
  std::size_t out = 0;
  bool others = false;
  for (const auto& other : servers_) {
    if (other->traffic_.load(std::memory_order_relaxed) != server_health::traffic::in) ++out;
    if (other.get() != &one && other->usable()) others = true;
  }
  const void* const in_force = common_->in_force.load(std::memory_order_relaxed);
  const bool heard = in_force == nullptr || in_force == servers_.data();
  if (heard && one.usable() && others && (out + 1) * 2 <= servers_.size()) {
    one.set(one.ejected_until_, now + rules_->eject_for);
    one.failures_.store(0, std::memory_order_relaxed);
    one.cuts_.store(0, std::memory_order_relaxed);
    one.ejections_.fetch_add(1, std::memory_order_relaxed);
    one.traffic_.store(server_health::traffic::ejected, std::memory_order_release);
    changed(one, why, status, now);
  }
  release();
}

bool cluster::try_again(std::size_t i, mono_time now, bool repeatable) const noexcept {
  server_health& one = at(i);
  if (one.out()) return false;
  auto expected = server_health::traffic::ejected;
  if (one.traffic_.load(std::memory_order_acquire) != expected) return false;
  const mono_time due = one.ejected_until();
  if (now < (repeatable ? due : due + rules_->eject_for)) return false;
  if (!one.traffic_.compare_exchange_strong(expected, server_health::traffic::trying)) return false;
  changed(one, one.why(), one.why_status(), now);
  return true;
}

void cluster::abandoned(std::size_t i) const noexcept {
  server_health& one = at(i);
  auto expected = server_health::traffic::trying;
  if (!one.traffic_.compare_exchange_strong(expected, server_health::traffic::ejected)) return;
  common_->version.fetch_add(1, std::memory_order_release);
}

void cluster::take_back(server_health& one, mono_time now) const noexcept {
  auto expected = server_health::traffic::trying;
  one.set(one.warm_since_, now);
  one.cuts_.store(0, std::memory_order_relaxed);
  if (!one.traffic_.compare_exchange_strong(expected, server_health::traffic::in)) return;
  changed(one, "answers_again", 0, now);
}

// The control thread's way in: whoever holds it counts servers and lets go.
void cluster::hold() const noexcept {
  while (common_->changing.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
}

void cluster::set_down(std::size_t i, bool down, const char* why, std::uint32_t status,
                       mono_time now) const noexcept {
  server_health& one = at(i);
  hold();
  one.down_.store(down, std::memory_order_relaxed);
  if (!down) {
    // What it did before it was down says nothing of what it is now.
    one.traffic_.store(server_health::traffic::in, std::memory_order_relaxed);
    one.failures_.store(0, std::memory_order_relaxed);
    one.cuts_.store(0, std::memory_order_relaxed);
    one.set(one.warm_since_, now);
  }
  changed(one, why, status, now);
  settle_held(now);
  release();
}

void cluster::set_drained(std::size_t i, bool drained, mono_time now) const noexcept {
  server_health& one = at(i);
  hold();
  one.drained_.store(drained, std::memory_order_relaxed);
  if (!drained) one.set(one.warm_since_, now);
  changed(one, drained ? "drained_by_operator" : "undrained_by_operator", 0, now);
  settle_held(now);
  release();
}

void cluster::settle(mono_time now) const noexcept {
  hold();
  common_->in_force.store(servers_.data(), std::memory_order_relaxed);
  settle_held(now);
  release();
}

// Ejection is a guess from what requests saw. It gives way where it would leave too few.
void cluster::settle_held(mono_time now) const noexcept {
  for (;;) {
    std::size_t out = 0;
    server_health* first = nullptr;
    for (const auto& one : servers_) {
      if (one->traffic_.load(std::memory_order_relaxed) == server_health::traffic::in) continue;
      ++out;
      // The one that has been out for longest, and that lifting the ejection helps.
      if (first == nullptr || first->out() ||
          (!one->out() && one->ejected_until() < first->ejected_until())) {
        first = one.get();
      }
    }
    if (first == nullptr) return;
    const bool too_many = out * 2 > servers_.size();
    if (!too_many && (any_usable() || first->out())) return;
    first->traffic_.store(server_health::traffic::in, std::memory_order_relaxed);
    first->failures_.store(0, std::memory_order_relaxed);
    first->cuts_.store(0, std::memory_order_relaxed);
    changed(*first, "nobody_else_is_left", 0, now);
  }
}

}  // namespace rw::upstream
