#include "control/import_note.h"

#include <fmt/format.h>

#include "base/text.h"

namespace rw::control {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  out += '"';
  return out;
}

std::string to_string(const import_note& one) {
  std::string out;
  if (!one.file.empty()) {
    append_json_escaped(out, one.file);
    if (one.line != 0) out += fmt::format(":{}", one.line);
    out += ": ";
  }
  return out + one.text;
}

}  // namespace rw::control
