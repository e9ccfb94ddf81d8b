#include "limit/table.h"

#include <algorithm>

namespace rw::limit {

outcome table::take(key who, std::uint64_t now, const pace& pace) noexcept {
  cells::view set = cells_.locate(who.hash);
  return limit::take(set, who.hash, now, pace);
}

outcome table::peek(key who, std::uint64_t now, const pace& pace) noexcept {
  cells::view set = cells_.locate(who.hash);
  return limit::peek(set, who.hash, now, pace);
}

void table::give_back(key who, std::uint64_t amount_ns) noexcept {
  cells::view set = cells_.locate(who.hash);
  limit::give_back(set, who.hash, amount_ns);
}

void table::raise(key who, std::uint64_t now, std::uint64_t when) noexcept {
  cells::view set = cells_.locate(who.hash);
  limit::raise(set, who.hash, now, when);
}

spending table::spend(key who, std::uint64_t now, std::uint64_t most) noexcept {
  cells::view set = cells_.locate(who.hash);
  return limit::spend(set, who.hash, now, most);
}

void table::deposit(key who, std::uint64_t now, std::uint64_t credits, std::uint64_t most,
                    deposit_of what) noexcept {
  cells::view set = cells_.locate(who.hash);
  limit::deposit(set, who.hash, now, credits, most, what);
}

std::uint64_t table::held(key who, std::uint64_t now) noexcept {
  cells::view set = cells_.locate(who.hash);
  return limit::held(set, who.hash, now);
}

entrance table::enter(key who, std::uint64_t most) noexcept {
  cells::view set = cells_.locate(who.hash);
  return limit::enter(set, who.hash, most);
}

void table::leave(key who) noexcept {
  cells::view set = cells_.locate(who.hash);
  limit::leave(set, who.hash);
}

std::uint64_t table::count(key who) noexcept {
  cells::view set = cells_.locate(who.hash);
  return limit::count(set, who.hash);
}

// The tag is read again after `when`, so that the two belong together.
void table::look(std::size_t first, std::size_t sets, std::uint64_t floor,
                 std::vector<holder>& out) const {
  const std::size_t end = std::min(first + sets, cells_.sets());
  for (std::size_t set = first; set < end; ++set) {
    const cells::view one = cells_.at(set);
    for (unsigned i = 0; i < cells::view::ways; ++i) {
      const cell held{one.tag(i), one.when(i)};
      if (held.tag == 0 || is_pending(held) || held.when <= floor) continue;
      if (one.tag(i) == held.tag) out.push_back({{held.tag}, held.when});
    }
  }
}

}  // namespace rw::limit
