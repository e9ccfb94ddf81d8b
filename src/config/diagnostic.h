// What is wrong with something an operator wrote, and where. Used for every file Ringward reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rw::config {

struct diagnostic {
  enum class level : std::uint8_t { error, warning };
  level severity = level::error;
  std::string file;
  std::uint32_t line = 0;    // from 1; 0 where the whole file is meant
  std::uint32_t column = 0;  // from 1, in octets
  std::string key;           // dotted, as in `listener.tls.min_version`; empty outside TOML
  std::string text;          // one sentence, with the mend where there is one; never a secret
};

using diagnostics = std::vector<diagnostic>;

inline bool has_error(const diagnostics& list) noexcept {
  for (const diagnostic& one : list) {
    if (one.severity == diagnostic::level::error) return true;
  }
  return false;
}

// `file:line:column: error: key: text`
std::string to_string(const diagnostic& one);

}  // namespace rw::config
