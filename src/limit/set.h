// One set of a limit table: a few cells, any of which may hold a key, changed by any core at any
// time without a lock. The algorithm is a template over its memory so that tests can run it under
// every interleaving; table.cc runs it on real cells.
//
// A cell is 128 bits, {tag, when}, only ever written by compare-and-swap of the whole, and one of
//   empty    {0, 0}
//   active   {tag, TAT}          the key's budget
//   pending  {tag, top bit + stamp}  a key being inserted; the stamp is never used twice
//
// Claim 1: at most one cell of a set is active for a key.
//   A pending cell P at index i becomes active by a swap that names its stamp, made by somebody who
//   has read every other cell of the set after P was there (`complete`) and found the key in none,
//   except pending at a higher index, which they swapped away first. Take two such, P at i and Q
//   at j, P placed first, both activated. Whoever activated Q read cell i after Q, so after P, was
//   placed. They found P pending: with i < j they withdrew Q, with i > j they swapped P away; or P
//   active: they withdrew Q; or something else: P was over, because a stamp does not come back.
//   In no case are both active together.
// Claim 2: no admission is lost. It is one swap {tag, TAT} -> {tag, max(TAT, now) + interval} of
//   the one active cell, or the activation itself (full budget less one). A swap that succeeds saw
//   the present state, whatever happened since it was read; one that fails is repeated from there.
//   So an entry's admissions form a chain, and n of them, the first at a and the last at b, satisfy
//   n x interval <= window + (b - a): never more than burst + rate x time, over all cores, in any
//   interleaving, and with clocks that disagree (a and b are what the callers said).
//
// Two cores that insert one key at once: one insertion is activated, the other core finds it and
// takes from it. An entry evicted while another core swaps its TAT: either the swap came first and
// the eviction, which names the old value, fails and looks again; or the eviction came first, the
// swap fails and its core inserts the key anew.
//
// What eviction forgives: the victim is the entry nearest to a full budget. If its TAT has passed,
// nothing. Otherwise, when every entry of the set still owes, at most (TAT - now) / interval of it,
// less than a burst: the key starts again from a full budget. Within a time t a key is admitted
// at most (1 + its evictions) x burst + rate x t, and each of those evictions took a request by a
// new key of the same set, which the random hash key keeps anyone from aiming at.
//
// Progress: every repetition follows a swap by somebody else that succeeded. A cell is pending for
// nanoseconds, is taken as a victim only after it was helped to be active, and of two insertions
// of one key the lower index goes on: no core waits for another that was preempted.
#pragma once

#include <algorithm>
#include <cstdint>

#include "limit/pace.h"

namespace rw::limit {

struct cell {
  std::uint64_t tag = 0;
  std::uint64_t when = 0;
  friend bool operator==(const cell&, const cell&) = default;
};

inline constexpr std::uint64_t pending_bit = std::uint64_t{1} << 63U;

inline bool is_pending(const cell& c) noexcept { return (c.when & pending_bit) != 0; }

// `when` is the TAT after an admission, or the one that caused a refusal.
struct outcome {
  bool admitted = false;
  std::uint64_t when = 0;
};

struct place {
  unsigned at = 0;
  cell value;
  bool found = false;
};

// `Memory` has: ways; tag(i) and when(i), sequentially consistent loads of half a cell; swap(i,
// expected, desired), a sequentially consistent compare-and-swap that on failure leaves the present
// cell in `expected`; stamp(), unique below 2^63; forgave(), told of each eviction of a debt.

// Where `tag` is, pending or active. The tag is read again after `when`, so that the two belong
// together: a refusal is decided on this value without a swap to check it.
template <class Memory>
place find(Memory& memory, std::uint64_t tag) {
  const auto home = static_cast<unsigned>(tag % Memory::ways);
  for (unsigned step = 0; step < Memory::ways;) {
    const unsigned at = (home + step) % Memory::ways;
    if (memory.tag(at) == tag) {
      const cell value{tag, memory.when(at)};
      if (memory.tag(at) == tag) return {.at = at, .value = value, .found = true};
      step = 0;  // it went while we looked, perhaps to a cell we have passed
    } else {
      ++step;
    }
  }
  return {};
}

// The cell a new key should have: an empty one, else the earliest TAT, else a pending one. `found`
// when the key itself turned up meanwhile.
template <class Memory>
place choose(Memory& memory, std::uint64_t tag) {
  const auto home = static_cast<unsigned>(tag % Memory::ways);
  place best{.at = home, .value = {0, ~std::uint64_t{0}}};
  for (unsigned step = 0; step < Memory::ways; ++step) {
    const unsigned at = (home + step) % Memory::ways;
    const std::uint64_t held = memory.tag(at);
    if (held == tag) return {.at = at, .value = {}, .found = true};
    const cell value{held, memory.when(at)};
    if (held == 0) return {.at = at, .value = {}};
    if (value.when < best.value.when) best = {.at = at, .value = value};
  }
  return best;
}

// Makes the pending cell `mine` at index `at` into `ready`, unless the key is there already or
// another insertion of it has precedence; then `mine` is withdrawn. True when this call did it.
template <class Memory>
bool complete(Memory& memory, unsigned at, cell mine, const cell& ready) {
  for (unsigned other = 0; other < Memory::ways; ++other) {
    if (other == at || memory.tag(other) != mine.tag) continue;
    cell rival{mine.tag, memory.when(other)};
    while (rival.tag == mine.tag) {
      if (!is_pending(rival) || other < at) {
        memory.swap(at, mine, {});
        return false;
      }
      if (memory.swap(other, rival, {})) break;
    }
  }
  return memory.swap(at, mine, ready);
}

// True when the key, absent a moment ago, is now in the set with `ready`, by this call.
template <class Memory>
bool insert(Memory& memory, std::uint64_t tag, std::uint64_t now, const cell& ready) {
  const place victim = choose(memory, tag);
  if (victim.found) return false;
  if (is_pending(victim.value)) {
    complete(memory, victim.at, victim.value, {victim.value.tag, now});
    return false;
  }
  const cell mine{tag, pending_bit | memory.stamp()};
  cell expected = victim.value;
  if (!memory.swap(victim.at, expected, mine)) return false;
  if (victim.value.when > now) memory.forgave();
  return complete(memory, victim.at, mine, ready);
}

// One request of the key `tag`, not 0, at `now`.
template <class Memory>
outcome take(Memory& memory, std::uint64_t tag, std::uint64_t now, const pace& pace) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) {
      const std::uint64_t when = now + pace.interval_ns;
      if (insert(memory, tag, now, {tag, when})) return {.admitted = true, .when = when};
      continue;
    }
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, now});
      continue;
    }
    do {
      const std::uint64_t when = std::max(here.value.when, now) + pace.interval_ns;
      if (when > now + pace.window_ns) return {.admitted = false, .when = here.value.when};
      if (memory.swap(here.at, here.value, {tag, when})) return {.admitted = true, .when = when};
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

// What take() would say, changing nothing. `when` is the TAT as it is.
template <class Memory>
outcome peek(Memory& memory, std::uint64_t tag, std::uint64_t now, const pace& pace) {
  const place here = find(memory, tag);
  const std::uint64_t when =
      here.found && !is_pending(here.value) ? here.value.when : std::uint64_t{0};
  return {.admitted = std::max(when, now) + pace.interval_ns <= now + pace.window_ns, .when = when};
}

// Moves the key's TAT `amount_ns` back. Nothing when the key is no longer there: its entry went,
// and the debt with it.
template <class Memory>
void give_back(Memory& memory, std::uint64_t tag, std::uint64_t amount_ns) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found || is_pending(here.value)) return;
    do {
      const std::uint64_t when = here.value.when - std::min(here.value.when, amount_ns);
      if (memory.swap(here.at, here.value, {tag, when})) return;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

// Moves the key's TAT on to `when`, if it is earlier: somebody else knows of more debt.
template <class Memory>
void raise(Memory& memory, std::uint64_t tag, std::uint64_t now, std::uint64_t when) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) {
      if (when <= now || insert(memory, tag, now, {tag, when})) return;
      continue;
    }
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, now});
      continue;
    }
    do {
      if (here.value.when >= when || memory.swap(here.at, here.value, {tag, when})) return;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

}  // namespace rw::limit
