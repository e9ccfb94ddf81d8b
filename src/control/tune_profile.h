// A tuning profile: a file for /etc/sysctl.d, with a little more meaning in its comments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"

namespace rw::control {

struct tune_setting {
  std::string name;       // as sysctl(8) takes it
  std::string path;       // below /proc/sys
  std::string value;      // normal
  bool optional = false;  // "-" before the name: a kernel that has no such parameter is in order
  bool at_least = false;  // "#: at least" above it: so is a higher value
};

struct tune_profile {
  std::string name;  // "#: profile NAME", or the file's
  std::vector<tune_setting> settings;
  std::uint64_t clients = 65536;  // "#: clients N": whom the machine is to have room for
};

inline constexpr std::size_t profile_bytes_max = std::size_t{256} << 10U;
inline constexpr std::size_t profile_settings_max = 512;

// The syntax is sysctl.d(5)'s without wildcards; lines that begin with "#:" are told to us, and one
// that we do not know is an error. `file` is what problems are said of. Pure.
std::expected<tune_profile, config::diagnostics> parse_profile(std::string_view text,
                                                               const std::string& file);

// `word` is a path when there is a slash in it or ".conf" at its end; else the name of a profile in
// `directory`. Blocks on the disk.
std::expected<tune_profile, config::diagnostics> read_profile(const std::string& word,
                                                              const std::string& directory);

// The names of the profiles in there, sorted.
std::vector<std::string> list_profiles(const std::string& directory);

}  // namespace rw::control
