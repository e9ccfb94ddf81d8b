// When a key set is fetched, and for how long what was fetched is used. Pure: time and chance are
// arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace rw::control {

class fetch_schedule {
 public:
  // A fetch that somebody asks for begins so long after the one before began, whatever came of it.
  static constexpr std::chrono::seconds least_apart{10};
  static constexpr std::chrono::seconds fresh_min{30};
  // After failures, in the first and in the worst case.
  static constexpr std::chrono::seconds pause_min{1};
  static constexpr std::chrono::minutes pause_max{5};

  struct rules {
    nanoseconds refresh;    // fresh for at most so long, and for exactly so long when nobody says
    nanoseconds max_stale;  // used for so long after the fetch began, if no other succeeds
  };

  // Due at once.
  fetch_schedule(const rules& by, mono_time now) noexcept : rules_(by), due_(now) {}
  // Due at once, what was fetched stays.
  void change(const rules& by, mono_time now) noexcept;

  void begin(mono_time now) noexcept { began_ = now; }
  // Next before it is stale: after 75 to 90 % of max-age, within [fresh_min, refresh].
  void succeed(std::optional<std::chrono::seconds> max_age, std::uint64_t random) noexcept;
  // Next after 1 s, 2 s, 4 s ... 5 min, less up to a half by chance, so that gates that saw the
  // same outage do not come back together.
  void fail(mono_time now, std::uint64_t random) noexcept;
  void ask() noexcept { due_ = mono_time{}; }
  void lapse() noexcept { fetched_.reset(); }

  mono_time due() const noexcept { return due_; }
  // From when on it may be asked for: not while failures keep it from being tried.
  mono_time askable() const noexcept;
  unsigned failures() const noexcept { return failures_; }                // in a row
  std::optional<mono_time> fetched() const noexcept { return fetched_; }  // the last good one began
  // When what was fetched is too old to be used; mono_time::max() when there is nothing.
  mono_time lapses() const noexcept;

 private:
  rules rules_;
  mono_time due_;
  mono_time began_;
  std::optional<mono_time> fetched_;
  unsigned failures_ = 0;
};

}  // namespace rw::control
