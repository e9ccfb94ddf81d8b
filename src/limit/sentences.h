// Bans per address, in a set of the same cells and by the same insertion as the budgets of
// limit/set.h, whose claim 1 holds here too. The tag is the address itself, so that bans can be
// listed and no two addresses share one. A cell's `when` is a sentence:
//   active   {tag, sentence}   until when (47 bits, ms), the how-manieth it is, why
// One whose time is over stays for a while, so that the next is known to be a repeat.
//
// Claim: a ban in force gives way to nothing. Only an empty cell, or one whose sentence is over, is
//   ever taken for another address. Of several cores that ban an address at once one does, and the
//   others find it banned: it is one swap of the one active cell.
#pragma once

#include <algorithm>
#include <cstdint>

#include "limit/set.h"

namespace rw::limit {

struct sentence {
  std::uint64_t until_ms = 0;
  std::uint8_t repeat = 0;  // 1: the first
  std::uint8_t why = 0;     // the caller's number

  static sentence unpack(std::uint64_t packed) noexcept {
    return {.until_ms = packed >> 16U,
            .repeat = static_cast<std::uint8_t>(packed >> 8U),
            .why = static_cast<std::uint8_t>(packed)};
  }
  std::uint64_t packed() const noexcept {
    return (until_ms << 16U | std::uint64_t{repeat} << 8U | why) & ~pending_bit;
  }
};

struct sentence_rule {
  std::uint64_t first_ms = 1;
  std::uint64_t longest_ms = 1;
  std::uint64_t forgotten_ms = 0;  // after its end the next one is a first again
};

// What the next one is after `last`, all of whose fields may be 0.
inline sentence next_sentence(const sentence& last, std::uint64_t now_ms, std::uint8_t why,
                              const sentence_rule& rule) noexcept {
  constexpr unsigned repeats_max = 40;  // longer than any time, and below the width of a word
  const bool again = last.repeat != 0 && now_ms < last.until_ms + rule.forgotten_ms;
  const unsigned repeat = again ? std::min<unsigned>(last.repeat + 1U, repeats_max) : 1;
  std::uint64_t lasts = rule.first_ms;
  for (unsigned i = 1; i < repeat && lasts < rule.longest_ms; ++i) lasts *= 2;
  lasts = std::min(lasts, std::max(rule.longest_ms, rule.first_ms));
  return {.until_ms = now_ms + lasts, .repeat = static_cast<std::uint8_t>(repeat), .why = why};
}

// The cell for an address that is in none: an empty one, else the one whose sentence has been over
// for longest, else a pending one, else nothing: `value.when` is then all ones.
template <class Memory>
place find_vacant(Memory& memory, std::uint64_t tag, std::uint64_t now_ms) {
  place best{.value = {0, ~std::uint64_t{0}}};
  for (unsigned at = 0; at < Memory::ways; ++at) {
    const std::uint64_t held = memory.tag(at);
    if (held == tag) return {.at = at, .value = {}, .found = true};
    if (held == 0) return {.at = at, .value = {}};
    const cell value{held, memory.when(at)};
    const bool over = is_pending(value) || sentence::unpack(value.when).until_ms <= now_ms;
    if (over && value.when < best.value.when) best = {.at = at, .value = value};
  }
  return best;
}

enum class sentenced : std::uint8_t {
  done,
  unchanged,  // `change` wanted nothing else than there was
  full        // every cell of the set holds a ban in force
};

// What is against `tag`, not 0, becomes `change(what there was)`; all of that is 0 where nothing
// was. `result` is what there is in the end.
template <class Memory, class Change>
sentenced resentence(Memory& memory, std::uint64_t tag, std::uint64_t now_ms, Change&& change,
                     sentence& result) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) {
      const place vacant = find_vacant(memory, tag, now_ms);
      if (vacant.found) continue;
      if (vacant.value.when == ~std::uint64_t{0}) return sentenced::full;
      if (is_pending(vacant.value)) {
        complete(memory, vacant.at, vacant.value, {vacant.value.tag, 0});
        continue;
      }
      const cell mine{tag, pending_bit | memory.stamp()};
      cell expected = vacant.value;
      if (!memory.swap(vacant.at, expected, mine)) continue;
      result = change(sentence{});
      if (complete(memory, vacant.at, mine, {tag, result.packed()})) return sentenced::done;
      continue;
    }
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, 0});
      continue;
    }
    do {
      const sentence before = sentence::unpack(here.value.when);
      result = change(before);
      if (result.packed() == before.packed() && before.repeat != 0) return sentenced::unchanged;
      if (memory.swap(here.at, here.value, {tag, result.packed()})) return sentenced::done;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

// As resentence(), by the rule; one that is in force stays as it is.
template <class Memory>
sentenced shut_out(Memory& memory, std::uint64_t tag, std::uint64_t now_ms, std::uint8_t why,
                   const sentence_rule& rule, sentence& result) {
  const auto change = [&](const sentence& before) {
    return before.until_ms > now_ms ? before : next_sentence(before, now_ms, why, rule);
  };
  return resentence(memory, tag, now_ms, change, result);
}

// What is against `tag`; all of it 0 for nothing.
template <class Memory>
sentence find_sentence(Memory& memory, std::uint64_t tag) {
  const place here = find(memory, tag);
  return here.found && !is_pending(here.value) ? sentence::unpack(here.value.when) : sentence{};
}

// Forgets `tag`, with its repeats, where `gone(sentence)` says so. False: it was not there, or not
// to go.
template <class Memory, class Gone>
bool forget(Memory& memory, std::uint64_t tag, Gone&& gone) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) return false;
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, 0});
      continue;
    }
    while (here.value.tag == tag && !is_pending(here.value)) {
      if (!gone(sentence::unpack(here.value.when))) return false;
      if (memory.swap(here.at, here.value, {})) return true;
    }
  }
}

}  // namespace rw::limit
