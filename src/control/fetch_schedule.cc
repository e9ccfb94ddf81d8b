#include "control/fetch_schedule.h"

#include <algorithm>

namespace rw::control {
namespace {

// From [0, 1) of `most`.
nanoseconds part(nanoseconds most, std::uint64_t random) noexcept {
  constexpr double range = 18446744073709551616.0;
  const double drawn = static_cast<double>(random >> 11U) * 2048.0 / range;
  return nanoseconds(static_cast<std::int64_t>(static_cast<double>(most.count()) * drawn));
}

}  // namespace

void fetch_schedule::change(const rules& by, mono_time now) noexcept {
  rules_ = by;
  due_ = now;
}

void fetch_schedule::succeed(std::optional<std::chrono::seconds> max_age,
                             std::uint64_t random) noexcept {
  const nanoseconds said = max_age ? nanoseconds(*max_age) : rules_.refresh;
  const nanoseconds fresh = std::clamp<nanoseconds>(said, fresh_min, rules_.refresh);
  due_ = began_ + fresh * 3 / 4 + part(fresh * 3 / 20, random);
  fetched_ = began_;
  failures_ = 0;
}

void fetch_schedule::fail(mono_time now, std::uint64_t random) noexcept {
  constexpr unsigned doublings_max = 9;  // 512 s: beyond pause_max
  const unsigned doublings = std::min(failures_++, doublings_max);
  const nanoseconds longest =
      std::min<nanoseconds>(nanoseconds(pause_min) * (1U << doublings), pause_max);
  due_ = now + std::max<nanoseconds>(pause_min, longest / 2 + part(longest / 2, random));
}

mono_time fetch_schedule::askable() const noexcept {
  const mono_time apart = began_ + least_apart;
  return failures_ == 0 ? apart : std::max(apart, due_);
}

mono_time fetch_schedule::lapses() const noexcept {
  return fetched_ ? *fetched_ + rules_.max_stale : mono_time::max();
}

}  // namespace rw::control
