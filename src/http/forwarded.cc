#include "http/forwarded.h"

#include <cstddef>

#include "http/character.h"

namespace rw::http {
namespace {

std::string_view skip_space(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

std::size_t token_bytes(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && is(text[size], token_char)) ++size;
  return size;
}

// With its quotes (RFC 9110 5.6.4); 0: it has no end.
std::size_t quoted_bytes(std::string_view text) noexcept {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') ++at;
  }
  return 0;
}

// Takes one pair off the front.
bool take_pair(std::string_view& text) noexcept {
  const std::size_t name = token_bytes(text);
  if (name == 0 || name == text.size() || text[name] != '=') return false;
  text.remove_prefix(name + 1);
  const std::size_t value = text.starts_with('"') ? quoted_bytes(text) : token_bytes(text);
  text.remove_prefix(value);
  return value > 0;
}

}  // namespace

bool is_forwarded_list(std::string_view value) noexcept {
  for (value = skip_space(value); !value.empty(); value = skip_space(value)) {
    const bool separates = value.front() == ',' || value.front() == ';';
    if (separates) {
      value.remove_prefix(1);
      continue;
    }
    if (!take_pair(value)) return false;
    value = skip_space(value);
    if (!value.empty() && value.front() != ',' && value.front() != ';') return false;
  }
  return true;
}

}  // namespace rw::http
