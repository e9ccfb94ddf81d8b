#include "auth/slow_cache.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace rw::auth {

slow_cache::slow_cache() : slots_(entries) {}

std::size_t slow_cache::set_of(const key_digest& key) const noexcept {
  std::uint64_t number = 0;  // of a digest under a secret: nobody can aim at a set
  std::memcpy(&number, key.data(), sizeof number);
  return number % (entries / ways) * ways;
}

std::optional<slow_cache::found> slow_cache::find(const key_digest& key,
                                                  mono_time now) const noexcept {
  for (const slot& one : std::span(slots_).subspan(set_of(key), ways)) {
    if (one.until != mono_time{} && one.what.key == key) return found{one.what, now < one.until};
  }
  return {};
}

void slow_cache::insert(const slow_answer& what, mono_time now, nanoseconds right_for) noexcept {
  const std::span<slot> set = std::span(slots_).subspan(set_of(what.key), ways);
  // The key's own slot, else an empty one, else a wrong key's, else what ends first.
  const auto rank = [&](const slot& one) {
    if (one.what.key == what.key) return 0;
    if (one.until == mono_time{}) return 1;
    return one.what.matched ? 3 : 2;
  };
  slot& victim = *std::ranges::min_element(set, [&](const slot& a, const slot& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.until < b.until;
  });
  if (!what.matched && rank(victim) == 3) return;
  victim = {what, now + (what.matched ? right_for : nanoseconds{wrong_for})};
}

}  // namespace rw::auth
