// Reads the `.env` of an old system, as Docker Compose and its kin write it: NAME=VALUE lines.
// Nothing is evaluated: `$NAME`, `$(...)`, backticks and backslashes are what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/import_note.h"

namespace rw::control {

inline constexpr std::size_t env_bytes_max = 1U << 20U;

struct env_setting {
  std::string name;        // letters, digits and `_`
  std::string value;       // a run of the file's octets, as they stand there
  std::uint32_t line = 0;  // where it begins, from 1
  // Whether the old system may have read something else: a `$`, a backtick or, between double
  // quotes, a backslash, which some readers expand.
  bool expandable = false;
};

// Every setting, in order; the one of a name that counts is the last. One pair of quotes around a
// value is taken off, and such a value may go over lines; without quotes it ends before ` #` or at
// the end of the line. A line that is none of this is left out with a note. Any octets may come in.
std::vector<env_setting> read_env(std::string_view text, std::string_view file, import_notes& out);

}  // namespace rw::control
