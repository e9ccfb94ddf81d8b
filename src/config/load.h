// ringward.toml to one validated configuration. Nothing here opens a socket, reads a secret or
// resolves a name: a configuration that loads is consistent in itself, no more.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/diagnostic.h"
#include "config/written.h"

namespace rw::config {

struct loaded {
  configuration settings;
  diagnostics warnings;  // in order of file, line and column; none of level error
  written as_written;    // to compare it with another one
};

// What could be read of a configuration, and everything that is wrong with it, in order of file,
// line and column. Where there is an error, what it stands for is at its default or empty.
struct examined {
  configuration settings;
  diagnostics problems;
  written as_written;
};

// Reads one file, or every file of a directory whose name ends in .toml and does not start with a
// dot, in order of name, as one. Blocks on the disk; any thread.
examined examine(const std::string& path);
// The same, for those who have no use for half a configuration. On failure: all that is wrong.
std::expected<loaded, diagnostics> load(const std::string& path);

// The same for text already in memory; `name` is what diagnostics call the file. Any octets may
// come in. Any thread.
std::expected<loaded, diagnostics> parse(std::string_view text, std::string_view name);

}  // namespace rw::config
