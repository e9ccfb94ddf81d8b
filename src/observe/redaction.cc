#include "observe/redaction.h"

#include <algorithm>

#include "base/text.h"

namespace rw::observe {
namespace {

int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The octet `text` begins with, percent-decoded, and removed from it.
char take_octet(std::string_view& text) noexcept {
  char c = text.front();
  std::size_t length = 1;
  if (c == '+') c = ' ';
  if (c == '%' && text.size() > 2 && hex(text[1]) >= 0 && hex(text[2]) >= 0) {
    c = static_cast<char>(hex(text[1]) * 16 + hex(text[2]));
    length = 3;
  }
  text.remove_prefix(length);
  return c;
}

bool matches(std::string_view encoded, std::string_view name) noexcept {
  while (!encoded.empty() && !name.empty()) {
    if (ascii_lower(take_octet(encoded)) != ascii_lower(name.front())) return false;
    name.remove_prefix(1);
  }
  return encoded.empty() && name.empty();
}

}  // namespace

redaction::redaction(std::span<const std::string> names) {
  for (const std::string& one : names) {
    if (one.starts_with('?')) parameters_.push_back(one.substr(1));
  }
}

bool redaction::hides(std::string_view name) const {
  return std::any_of(parameters_.begin(), parameters_.end(),
                     [&](const std::string& one) { return matches(name, one); });
}

bool redaction::apply(std::string_view query, std::string& out) const {
  if (query.size() < 2 || parameters_.empty()) return false;
  out.assign(1, query.front());
  std::string_view rest = query.substr(1);
  bool changed = false;
  while (!rest.empty()) {
    std::size_t end = std::min(rest.find_first_of("&;"), rest.size());
    const std::size_t equals = rest.substr(0, end).find('=');
    if (equals != std::string_view::npos && hides(rest.substr(0, equals))) {
      end = std::min(rest.find('&'), rest.size());
      out.append(rest.substr(0, equals + 1)).append("***");
      changed = true;
    } else {
      out.append(rest.substr(0, end));
    }
    if (end < rest.size()) out += rest[end++];
    rest.remove_prefix(end);
  }
  return changed;
}

}  // namespace rw::observe
