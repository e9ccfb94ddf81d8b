// The files an audit log has been rotated into, and the end of the newest one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "observe/audit_chain.h"

namespace rw::control {

// Whether `name` is what logrotate calls a rotated `base`: "base.1", "base-20261129",
// "base-20261129-1764432000", any of them compressed (.gz .xz .zst .bz2). `base` itself is not.
bool is_rotated(std::string_view base, std::string_view name) noexcept;

// Of the regular files (no links) beside `path` that are rotated ones of it and belong to this
// user, removes the one written to last before all others, when that was before `oldest`; never
// more than one. Returns what it removed; nothing when there is none such, or none that can be
// removed.
std::optional<std::string> remove_oldest(const std::string& path, wall_time oldest);

// What the time may be, for whoever removes what is old: no later than a day after the last write
// that was there at the start, and the time since the start. A clock that runs ahead makes nothing
// old.
class believed_clock {
 public:
  static constexpr std::chrono::hours unwritten_max{24};

  // `written`: that last write; nothing: there was none, and there is nothing to lose.
  believed_clock(std::optional<wall_time> written, wall_time now, mono_time started) noexcept;
  wall_time at(wall_time now, mono_time running) const noexcept;

 private:
  wall_time begun_;
  mono_time started_;
};

struct earlier_end {
  observe::audit_digest digest = observe::no_digest;  // of the last whole line
  std::string file;                                   // which file that is in; empty: there is none
  bool partial = false;                               // `path` itself ends within a line
  std::optional<wall_time> written;  // when any of the files was written to last; empty: none is
};

// Where a chain that goes to `path` follows on: the last line there, else in the newest rotated
// file that is not compressed. Blocks.
earlier_end find_earlier(const std::string& path);

}  // namespace rw::control
