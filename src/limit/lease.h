// What a gateway has borrowed of a shared budget, per key, in a set of the same cells and by the
// same insertion as the budgets of limit/set.h, whose claim 1 holds here too. A cell's `when` is
//   expiry (36 bits, of 2^22 ns), exponent (5), asked (1), credits (21)
// so that of a full set the lease that ends first gives way, with what is left of it: lost, not
// spent twice.
//
// Claim: what a key holds is never more than `most`, and each credit is spent once. Credits are
//   added by deposit() alone, up to `most`, and taken by spend(), one swap each of the one active
//   cell. A lease that has ended holds none.
// A slice is 2^exponent credits, `most` at most. It is doubled when the last one has lasted for
// less than a quarter of a lease and halved when one has ended unspent: a key that is busy here
// borrows a few times per lease whatever its rate, and one that is not holds next to nothing that
// others could use. When less is granted than was asked for, it is no more than what is there: a
// budget that is used up is not asked about at each request. Where nothing is granted, nobody asks
// for hold_off_ns().
#pragma once

#include <algorithm>

#include "limit/set.h"

namespace rw::limit {

// What is lent ends so long after it was, and unanswered questions are forgotten by then.
inline constexpr std::uint64_t lease_ns = 1'000'000'000;

// A budget that was empty fills up meanwhile, for the most part: nothing is lost.
constexpr std::uint64_t hold_off_ns(const pace& of) noexcept {
  return std::min(lease_ns / 4, of.window_ns / 4);
}

// What a deposit is.
enum class deposit_of : std::uint8_t {
  all,       // that was asked for; the key's own question is answered, the next one may be asked
  a_part,    // likewise, and less than that
  one_back,  // credits that were spent and are not wanted
};

struct spending {
  bool spent = false;         // a credit; otherwise somebody has to ask for this request
  std::uint64_t ask_for = 0;  // to be asked for and deposit()ed by the caller alone; 0: nothing
};

namespace detail {

inline constexpr unsigned credit_bits = 21;
inline constexpr unsigned exponent_bits = 5;
inline constexpr std::uint64_t credits_max = (std::uint64_t{1} << credit_bits) - 1;
inline constexpr unsigned tick_shift = 22;

struct lease {
  std::uint64_t credits = 0;
  bool asked = false;
  unsigned exponent = 0;
  std::uint64_t expiry = 0;  // in ticks

  static lease from(std::uint64_t when) noexcept {
    constexpr unsigned exponent_at = credit_bits + 1;
    return {.credits = when & credits_max,
            .asked = ((when >> credit_bits) & 1U) != 0,
            .exponent = static_cast<unsigned>(when >> exponent_at) & ((1U << exponent_bits) - 1),
            .expiry = when >> (exponent_at + exponent_bits)};
  }
  std::uint64_t packed() const noexcept {
    constexpr unsigned exponent_at = credit_bits + 1;
    return (expiry << (exponent_at + exponent_bits)) | (std::uint64_t{exponent} << exponent_at) |
           (std::uint64_t{asked} << credit_bits) | credits;
  }
  std::uint64_t slice(std::uint64_t most) const noexcept {
    return std::min(std::uint64_t{1} << exponent, most);
  }
};

inline std::uint64_t lease_tick(std::uint64_t now) noexcept { return now >> tick_shift; }
inline std::uint64_t lease_end(std::uint64_t now) noexcept { return lease_tick(now + lease_ns); }

// The lease as it is at `now`, one step of spend() further.
inline spending step(lease& held, std::uint64_t now, std::uint64_t most) noexcept {
  if (held.expiry <= lease_tick(now)) {
    if (held.credits > 0 && held.exponent > 0) --held.exponent;
    held.credits = 0;
    held.asked = false;
    held.expiry = 0;
  }
  spending done{.spent = held.credits > 0};
  if (done.spent) --held.credits;
  if (held.asked || held.credits > held.slice(most) / 2) return done;
  // Lent at the end less a lease, or nothing was.
  const bool was_quick = held.expiry > lease_end(now) - lease_tick(lease_ns) / 4;
  if (was_quick && held.slice(most) < most) ++held.exponent;
  held.asked = true;
  if (held.expiry == 0) held.expiry = lease_end(now);
  // The request that finds nothing is served from what is asked for.
  done.ask_for = std::max<std::uint64_t>(held.slice(most) - held.credits, 1);
  return done;
}

}  // namespace detail

// For one request of the key `tag`. `most`: credits that it may hold, 1 to detail::credits_max.
template <class Memory>
spending spend(Memory& memory, std::uint64_t tag, std::uint64_t now, std::uint64_t most) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) {
      const place free = choose(memory, tag);
      if (free.found) continue;
      if (is_pending(free.value)) {
        complete(memory, free.at, free.value, {free.value.tag, 0});
        continue;
      }
      detail::lease first;
      const spending done = detail::step(first, now, most);
      const cell mine{tag, pending_bit | memory.stamp()};
      cell expected = free.value;
      if (memory.swap(free.at, expected, mine) &&
          complete(memory, free.at, mine, {tag, first.packed()})) {
        return done;
      }
      continue;
    }
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, 0});
      continue;
    }
    do {
      detail::lease held = detail::lease::from(here.value.when);
      const spending done = detail::step(held, now, most);
      const cell after{tag, held.packed()};
      if (after == here.value || memory.swap(here.at, here.value, after)) return done;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

// Nothing when the key is no longer there, or its lease, which `one_back` belonged to.
template <class Memory>
void deposit(Memory& memory, std::uint64_t tag, std::uint64_t now, std::uint64_t credits,
             std::uint64_t most, deposit_of what) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found || is_pending(here.value)) return;
    do {
      detail::lease held = detail::lease::from(here.value.when);
      const bool ended = held.expiry <= detail::lease_tick(now);
      if (ended && what == deposit_of::one_back) return;
      held.credits = std::min((ended ? 0 : held.credits) + credits, most);
      if (what != deposit_of::one_back) {
        held.asked = false;
        held.expiry = detail::lease_end(now);
      }
      while (what == deposit_of::a_part && held.exponent > 0 && held.slice(most) > held.credits) {
        --held.exponent;
      }
      if (memory.swap(here.at, here.value, {tag, held.packed()})) return;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

// What the key holds at `now`.
template <class Memory>
std::uint64_t held(Memory& memory, std::uint64_t tag, std::uint64_t now) {
  const place here = find(memory, tag);
  if (!here.found || is_pending(here.value)) return 0;
  const detail::lease found = detail::lease::from(here.value.when);
  return found.expiry > detail::lease_tick(now) ? found.credits : 0;
}

}  // namespace rw::limit
