// The API keys of an old system, made into lines of a key file (auth/key_file.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/import_note.h"

namespace rw::control {

// A line of an old key file, or a key of a setting.
struct old_key {
  std::string text;  // a key, whole, or `user:$2b$...`
  std::string name;  // what its owner is called where the text says nothing
  std::string file;  // where it stands
  std::uint32_t line = 0;
};

// The lines of an old key file, without comments and blank ones; their owners are key-LINE.
std::vector<old_key> read_old_key_file(std::string_view text, std::string_view file);

struct imported_keys {
  std::string text;        // of the key file; a secret where some are in the clear
  std::size_t hashed = 0;  // lines
  std::size_t plain = 0;   // too short for their hash to hide them
};

// Keys in the clear become what `ringward key hash` makes of them, under names that nobody else
// has; hashes that this build reads stay as they are. Each key once. What is left out is noted,
// without quoting it. `tokens_too`: whether Bearer may bring a token as well as a key.
imported_keys import_keys(std::span<const old_key> keys, bool tokens_too, import_notes& out);

}  // namespace rw::control
