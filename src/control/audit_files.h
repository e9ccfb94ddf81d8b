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

// Regular files (no links) beside `path` that are rotated ones of it and belong to this user, the
// one written to last first.
std::vector<std::string> rotated_files(const std::string& path);

// Removes those written to last before `oldest`. Returns what it removed.
std::vector<std::string> remove_rotated(const std::string& path, wall_time oldest);

struct earlier_end {
  observe::audit_digest digest = observe::no_digest;  // of the last whole line
  std::string file;                                   // which file that is in; empty: there is none
  bool partial = false;                               // `path` itself ends within a line
};

// Where a chain that goes to `path` follows on: the last line there, else in the newest rotated
// file that is not compressed. Blocks.
earlier_end find_earlier(const std::string& path);

}  // namespace rw::control
