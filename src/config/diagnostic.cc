#include "config/diagnostic.h"

#include <fmt/core.h>

#include <string_view>

namespace rw::config {
namespace {

// Names come from files; a terminal must not obey what is in them.
void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) {
      out += fmt::format("\\x{:02x}", octet);
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string to_string(const diagnostic& one) {
  std::string out;
  append_printable(out, one.file);
  if (one.line != 0) out += fmt::format(":{}:{}", one.line, one.column);
  if (!out.empty()) out += ": ";
  out += one.severity == diagnostic::level::error ? "error: " : "warning: ";
  if (!one.key.empty()) {
    append_printable(out, one.key);
    out += ": ";
  }
  append_printable(out, one.text);
  return out;
}

}  // namespace rw::config
