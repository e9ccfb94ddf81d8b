#include "io/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace rw::io {
namespace {

constexpr std::int64_t tick_ns = 1'000'000;

}  // namespace

void timer::disarm() noexcept {
  if (wheel_ == nullptr) return;
  wheel_->unlink(*this);
  wheel_ = nullptr;
}

timer_wheel::~timer_wheel() { RW_ASSERT(armed_ == 0); }

void timer_wheel::arm(timer& one, mono_time deadline) noexcept {
  const std::int64_t distance = (deadline - start_).count();
  std::uint64_t tick =
      distance <= 0 ? 0 : (static_cast<std::uint64_t>(distance) + tick_ns - 1) / tick_ns;
  tick = std::max(tick, tick_ + 1);
  if (one.wheel_ != nullptr) unlink(one);
  one.wheel_ = this;
  one.tick_ = tick;
  link(one);
}

void timer_wheel::link(timer& one) noexcept {
  const std::uint64_t distance = one.tick_ ^ tick_;
  unsigned level = distance == 0 ? 0 : static_cast<unsigned>(std::bit_width(distance) - 1) / 6;
  std::uint64_t tick = one.tick_;
  if (level >= levels) {
    // In the wheel's next turn: a slot behind the hand. Beyond that too, the slot that comes last,
    // and from there again.
    level = levels - 1;
    tick = std::min(tick, tick_ + (std::uint64_t{slots_per_level - 1} << (6 * level)));
  }
  const unsigned index = static_cast<unsigned>(tick >> (6 * level)) & (slots_per_level - 1);
  const unsigned slot = level * slots_per_level + index;
  one.slot_ = static_cast<std::uint16_t>(slot);
  one.previous_ = nullptr;
  one.next_ = first_[slot];
  if (one.next_ != nullptr) one.next_->previous_ = &one;
  first_[slot] = &one;
  occupied_[level] |= std::uint64_t{1} << index;
  ++armed_;
}

void timer_wheel::unlink(timer& one) noexcept {
  if (one.previous_ != nullptr) {
    one.previous_->next_ = one.next_;
  } else if (first_[one.slot_] == &one) {
    first_[one.slot_] = one.next_;
    if (one.next_ == nullptr) {
      occupied_[one.slot_ / slots_per_level] &=
          ~(std::uint64_t{1} << (one.slot_ % slots_per_level));
    }
  }
  if (one.next_ != nullptr) one.next_->previous_ = one.previous_;
  one.next_ = one.previous_ = nullptr;
  --armed_;
}

// Timers are taken off one at a time: a handler may destroy or move any other of the same slot.
void timer_wheel::expire(unsigned slot) noexcept {
  while (first_[slot] != nullptr) {
    timer& one = *first_[slot];
    one.disarm();
    one.on_expiry_(one);
  }
}

void timer_wheel::cascade(unsigned slot) noexcept {
  timer* chain = first_[slot];
  first_[slot] = nullptr;
  occupied_[slot / slots_per_level] &= ~(std::uint64_t{1} << (slot % slots_per_level));
  while (chain != nullptr) {
    timer& one = *chain;
    chain = one.next_;
    --armed_;
    link(one);
  }
}

void timer_wheel::advance(mono_time now) noexcept {
  const std::int64_t passed = (now - start_).count();
  if (passed <= 0) return;
  const std::uint64_t target = static_cast<std::uint64_t>(passed) / tick_ns;
  while (tick_ < target) {
    // Straight from one occupied slot to the next: nothing happens between them.
    const std::uint64_t stop = armed_ == 0 ? UINT64_MAX : next_tick();
    if (stop > target) {
      tick_ = target;
      return;
    }
    tick_ = stop;
    for (unsigned level = 1; level < levels; ++level) {
      if ((tick_ & ((std::uint64_t{1} << (6 * level)) - 1)) != 0) break;
      cascade(level * slots_per_level + (static_cast<unsigned>(tick_ >> (6 * level)) & 63U));
    }
    expire(static_cast<unsigned>(tick_) & 63U);
  }
}

// The first tick of the next occupied slot. Slots of a finer level all come before those of a
// coarser.
std::uint64_t timer_wheel::next_tick() const noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned at = static_cast<unsigned>(tick_ >> (6 * level)) & 63U;
    const std::uint64_t later = at == 63 ? 0 : occupied_[level] & (~std::uint64_t{0} << (at + 1));
    if (later != 0) {
      const std::uint64_t base = tick_ >> (6 * level) & ~std::uint64_t{63};
      return (base | static_cast<unsigned>(std::countr_zero(later))) << (6 * level);
    }
  }
  // Only slots of the coarsest level are taken that lie behind the hand: they are of its next turn.
  const unsigned shift = 6 * (levels - 1);
  const std::uint64_t turn = (tick_ >> (shift + 6)) + 1;
  const auto index = static_cast<unsigned>(std::countr_zero(occupied_[levels - 1]));
  return (turn << 6 | index) << shift;
}

mono_time timer_wheel::next() const noexcept {
  if (armed_ == 0) return mono_time::max();
  return start_ + nanoseconds{static_cast<std::int64_t>(next_tick()) * tick_ns};
}

}  // namespace rw::io
