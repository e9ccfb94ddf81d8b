// What `ringward import` has to say about something that it found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rw::control {

struct import_note {
  std::string file;        // as the old system calls it; empty where no file is meant
  std::uint32_t line = 0;  // from 1; 0 where the whole file is meant
  std::string text;        // a sentence; never a secret
};

using import_notes = std::vector<import_note>;

// `text` in double quotes, as a basic string of TOML 1.0, which is one of JSON too: on one line and
// in ASCII and valid UTF-8, whatever `text` holds.
std::string in_quotes(std::string_view text);

// `file:line: text`, on one line. A terminal obeys nothing in it.
std::string to_string(const import_note& one);

}  // namespace rw::control
