// How fast one key may go: the generic cell rate algorithm's two numbers, in whole nanoseconds.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "config/config.h"

namespace rw::limit {

// A key's whole state is one instant, its theoretical arrival time: when its budget is full again.
// A request moves it `interval` later and may not move it further than `window` past now.
struct pace {
  std::uint64_t interval_ns = 1;  // what one request costs, rounded up: never a faster rate
  std::uint64_t window_ns = 1;    // burst x interval: from an empty budget to a full one
  std::uint64_t burst = 1;
};

// Instants and windows stay below this, so that their sum leaves the top bit of a word free.
inline constexpr std::uint64_t longest_ns = std::uint64_t{1} << 61U;  // 73 years

inline std::uint64_t ticks(mono_time at) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(at.time_since_epoch().count(), 0));
}

// `rate.count` and `rate.per` must not be zero. A burst whose window is longer than `longest_ns` is
// cut to it: fewer requests than written, never more.
constexpr pace make_pace(const config::rate& rate, std::uint64_t burst) noexcept {
  const auto per = static_cast<std::uint64_t>(rate.per.count());
  const std::uint64_t interval =
      std::min(per / rate.count + (per % rate.count != 0 ? 1U : 0U), longest_ns);
  const std::uint64_t most = longest_ns / interval;
  const std::uint64_t held = std::clamp<std::uint64_t>(burst, 1, most);
  return {.interval_ns = interval, .window_ns = interval * held, .burst = held};
}

// The pace of a caller that has a rate of its own: as long from an empty budget to a full one as
// everybody else, one request at least. `rate` likewise not zero.
constexpr pace make_own_pace(const pace& of_all, const config::rate& rate) noexcept {
  const pace one = make_pace(rate, 1);
  return make_pace(rate, of_all.window_ns / one.interval_ns);
}

}  // namespace rw::limit
