#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace rw {

bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

bool is_visible_ascii(std::string_view text) noexcept {
  for (char c : text) {
    if (!is_visible_ascii(c)) return false;
  }
  return !text.empty();
}

std::string_view trim_ows(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view cut(std::string_view& text, char end) noexcept {
  const std::string_view out = text.substr(0, text.find(end));
  text.remove_prefix(std::min(out.size() + 1, text.size()));
  return out;
}

std::optional<std::uint64_t> parse_u64(std::string_view digits) noexcept {
  std::uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return {};
  const auto [at, code] = std::from_chars(digits.data(), end, value);
  if (code != std::errc{} || at != end) return {};
  return value;
}

namespace {

// Length of the well-formed UTF-8 sequence at the front (RFC 3629 4), 0 where there is none.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = at(0);
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool edge = (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f);
    return tail(1) && tail(2) && !edge ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool edge = (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f);
    return tail(1) && tail(2) && tail(3) && !edge ? 4 : 0;
  }
  return 0;
}

bool needs_escape(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7f || (c & 0x80);
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && !needs_escape(text[plain])) ++plain;
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const char c = text.front();
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
      text.remove_prefix(1);
      continue;
    }
    const std::size_t length = (c & 0x80) ? utf8_length(text) : 0;
    if (length > 0) {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out.append("\\u00");
      out += hex[octet >> 4];
      out += hex[octet & 15];
      text.remove_prefix(1);
    }
  }
}

}  // namespace rw
