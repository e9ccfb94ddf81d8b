// ASCII text: case, tokens, numbers. Locale-free; nothing here allocates unless it returns a
// string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rw {

constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

constexpr bool is_visible_ascii(char c) noexcept { return c > 0x20 && c < 0x7f; }

// Case-insensitive comparison of two ASCII strings.
bool iequals(std::string_view a, std::string_view b) noexcept;

// True when every octet is 0x21..0x7e; false for the empty string.
bool is_visible_ascii(std::string_view text) noexcept;

// Without SP and HTAB (RFC 9110 5.6.3, OWS) at both ends.
std::string_view trim_ows(std::string_view text) noexcept;

// What `text` has before the next `end`, all of it where there is none; both are taken away.
std::string_view cut(std::string_view& text, char end) noexcept;

// Digits only: no sign, no space, no overflow; nothing otherwise.
std::optional<std::uint64_t> parse_u64(std::string_view digits) noexcept;

// `text` as the inside of a JSON string (RFC 8259 7), without the quotes; invalid UTF-8 octets and
// control characters become \u00XX, so that the result is always valid UTF-8.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace rw
