// Requests under way, counted per key in a set of the same cells and by the same insertion as the
// budgets of limit/set.h, whose claim 1 holds here too. A cell's `when` is a count:
//   active   {tag, n}   n requests of the key are under way; with n = 0 the cell may be taken
//
// Claim: no count is lost, and none is made up. enter() and leave() are one swap each of the one
//   active cell, or the activation itself (n = 1), or the removal of the last (to empty). Only a
//   cell that counts nothing is ever taken for another key. So the sum of a key's successful
//   enter() less its leave() is what its cell says, and never more than `most`.
// Whoever helps an insertion of another core makes it active with n = 0: that core then enters as
//   everybody else does.
#pragma once

#include "limit/set.h"

namespace rw::limit {

enum class entrance : std::uint8_t {
  entered,  // to be followed by one leave()
  over,     // `most` are under way
  full      // every cell of the set counts requests of other keys
};

template <class Memory>
entrance enter(Memory& memory, std::uint64_t tag, std::uint64_t most) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) {
      const place free = choose(memory, tag);
      if (free.found) continue;
      if (is_pending(free.value)) {
        complete(memory, free.at, free.value, {free.value.tag, 0});
        continue;
      }
      if (free.value.when != 0) return entrance::full;
      const cell mine{tag, pending_bit | memory.stamp()};
      cell expected = free.value;
      if (memory.swap(free.at, expected, mine) && complete(memory, free.at, mine, {tag, 1})) {
        return entrance::entered;
      }
      continue;
    }
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, 0});
      continue;
    }
    do {
      if (here.value.when >= most) return entrance::over;
      if (memory.swap(here.at, here.value, {tag, here.value.when + 1})) return entrance::entered;
    } while (here.value.tag == tag && !is_pending(here.value));
  }
}

// After an enter() that succeeded, once. What it made active stays where it is until then, so it is
// found; nothing is done for a key that nobody entered for.
template <class Memory>
void leave(Memory& memory, std::uint64_t tag) {
  for (;;) {
    place here = find(memory, tag);
    if (!here.found) return;
    if (is_pending(here.value)) {
      complete(memory, here.at, here.value, {tag, 0});
      continue;
    }
    while (here.value.tag == tag && !is_pending(here.value)) {
      if (here.value.when == 0) return;
      const cell less = here.value.when == 1 ? cell{} : cell{tag, here.value.when - 1};
      if (memory.swap(here.at, here.value, less)) return;
    }
  }
}

// How many of the key are under way.
template <class Memory>
std::uint64_t count(Memory& memory, std::uint64_t tag) {
  const place here = find(memory, tag);
  return here.found && !is_pending(here.value) ? here.value.when : 0;
}

}  // namespace rw::limit
