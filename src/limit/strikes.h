// Failures counted per key within a time, in a set of the same cells and by the same insertion as
// the budgets of limit/set.h, whose claim 1 holds here too. A cell's `when` is a tally:
//   active   {tag, tally}   begin (35 bits, ticks) and what was counted in each quarter of the time
//                           from there on (4 x 7 bits)
//
// What counts as "within": a tally's time begins with the first failure in it. When that time is
// over the oldest quarters go, and it begins with the first of the others that has something. So
// everything in a tally is within the time, and nobody is out with less than `most` within it;
// who has `most` within three quarters of it is out, and within all of it when he had none in the
// time before.
//
// Claim: no failure is lost but by eviction, none counts twice, and of several cores exactly one is
//   told that `most` has been reached. A failure is one swap of the one active cell, and whoever
//   reaches `most` swaps it to an empty tally.
// Who gives way: the key with least that still counts. A flood of new keys, with one failure each,
//   therefore pushes out each other and not the one who is close to `most`: that takes, in his very
//   set, as many keys as it has cells with as much against them as he has. A key that is being put
//   in weighs nothing: it is helped, and gives way. But for a few times only, so that two cores
//   that push out each other's key come to an end: then the least of the others does.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "limit/set.h"

namespace rw::limit {

// In ticks of any length; times stay below 2^35 of them.
struct strike_rule {
  std::uint32_t most = 10;    // 1..100
  std::uint64_t quarter = 1;  // of the time, in ticks, at least 1
};

class tally {
 public:
  static constexpr unsigned quarters = 4;
  static constexpr std::uint32_t count_max = 127;

  explicit tally(std::uint64_t packed) noexcept : begin_(packed >> counts_bits) {
    for (unsigned i = 0; i < quarters; ++i) {
      counts_[i] = static_cast<std::uint32_t>((packed >> (bits_each * i)) & count_max);
    }
  }

  // What is too old goes.
  void advance(std::uint64_t now, std::uint64_t quarter) noexcept {
    while (sum() != 0 && (counts_[0] == 0 || now >= begin_ + quarters * quarter)) {
      std::shift_left(counts_.begin(), counts_.end(), 1);
      counts_.back() = 0;
      begin_ += quarter;
    }
    if (sum() == 0) begin_ = now;
  }
  // After advance(). A clock behind the others' counts where the time begins.
  void add(std::uint32_t weight, std::uint64_t now, std::uint64_t quarter) noexcept {
    const std::uint64_t at = now > begin_ ? (now - begin_) / quarter : 0;
    std::uint32_t& count = counts_[std::min<std::uint64_t>(at, quarters - 1)];
    count = std::min(count + std::min(weight, count_max), count_max);
  }
  void clear(std::uint64_t now) noexcept {
    counts_ = {};
    begin_ = now;
  }

  std::uint32_t sum() const noexcept { return counts_[0] + counts_[1] + counts_[2] + counts_[3]; }
  std::uint64_t packed() const noexcept {
    std::uint64_t made = begin_ << counts_bits;
    for (unsigned i = 0; i < quarters; ++i) made |= std::uint64_t{counts_[i]} << (bits_each * i);
    return made & ~pending_bit;
  }

 private:
  static constexpr unsigned bits_each = 7;
  static constexpr unsigned counts_bits = quarters * bits_each;

  std::uint64_t begin_;
  std::array<std::uint32_t, quarters> counts_{};
};

// The cell for a key that is in none: an empty one, else the one with least against it by now; a
// pending one counts `pending`. `found` when the key itself turned up meanwhile; `counts`: what the
// cell loses.
struct weakest_place {
  place where;
  std::uint32_t counts = 0;
};

template <class Memory>
weakest_place find_weakest(Memory& memory, std::uint64_t tag, std::uint64_t now,
                           std::uint64_t quarter, std::uint32_t pending) {
  const auto home = static_cast<unsigned>(tag % Memory::ways);
  weakest_place best{.where = {.at = home, .value = {0, ~std::uint64_t{0}}},
                     .counts = ~std::uint32_t{0}};
  for (unsigned step = 0; step < Memory::ways; ++step) {
    const unsigned at = (home + step) % Memory::ways;
    const std::uint64_t held = memory.tag(at);
    if (held == tag) return {.where = {.at = at, .value = {}, .found = true}};
    if (held == 0) return {.where = {.at = at, .value = {}}};
    const cell value{held, memory.when(at)};
    tally its(value.when);
    if (!is_pending(value)) its.advance(now, quarter);
    const std::uint32_t counts = is_pending(value) ? pending : its.sum();
    if (counts < best.counts) best = {.where = {.at = at, .value = value}, .counts = counts};
  }
  return best;
}

// True when that makes it `most`; it then begins anew.
inline bool count_strike(tally& its, std::uint32_t weight, std::uint64_t now,
                         const strike_rule& rule) noexcept {
  its.advance(now, rule.quarter);
  its.add(weight, now, rule.quarter);
  if (its.sum() < rule.most) return false;
  its.clear(now);
  return true;
}

// Counts a failure of the key `tag`, not 0. True for the one that makes it `most`.
template <class Memory>
bool strike(Memory& memory, std::uint64_t tag, std::uint32_t weight, std::uint64_t now,
            const strike_rule& rule) {
  constexpr unsigned rounds_max = 4;
  for (unsigned round = 0;; ++round) {
    place here = find(memory, tag);
    if (!here.found) {
      const std::uint32_t pending = round < rounds_max ? 0 : ~std::uint32_t{0} - 1;
      const weakest_place victim = find_weakest(memory, tag, now, rule.quarter, pending);
      if (victim.where.found) continue;
      if (is_pending(victim.where.value)) {
        complete(memory, victim.where.at, victim.where.value, {victim.where.value.tag, 0});
        continue;
      }
      const cell mine{tag, pending_bit | memory.stamp()};
      cell expected = victim.where.value;
      if (!memory.swap(victim.where.at, expected, mine)) continue;
      if (victim.counts != 0) memory.forgave();
      tally its(0);
      const bool out = count_strike(its, weight, now, rule);
      if (complete(memory, victim.where.at, mine, {tag, its.packed()})) return out;
      continue;
    }
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, 0});
      continue;
    }
    do {
      tally its(here.value.when);
      const bool out = count_strike(its, weight, now, rule);
      if (memory.swap(here.at, here.value, {tag, its.packed()})) return out;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

}  // namespace rw::limit
