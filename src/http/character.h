// Character classes of RFC 9110 and RFC 3986 as one table. Internal to http/.
#pragma once

#include <array>
#include <cstdint>

namespace rw::http {

enum class_bit : std::uint8_t {
  token_char = 1,        // tchar (RFC 9110 5.6.2)
  name_char = 2,         // tchar but '_'
  value_char = 4,        // HTAB, SP, VCHAR, obs-text (RFC 9110 5.5)
  target_char = 8,       // visible ASCII but '#'
  host_char = 16,        // unreserved, sub-delims (RFC 3986 3.2.2)
  path_char = 32,        // pchar without '%', and '/' (RFC 3986 3.3)
  unreserved_char = 64,  // RFC 3986 2.3
  hex_char = 128
};

namespace detail {

constexpr bool one_of(unsigned c, const char* set) {
  for (; *set != 0; ++set) {
    if (static_cast<unsigned char>(*set) == c) return true;
  }
  return false;
}

constexpr std::uint8_t class_of(unsigned c) {
  const bool digit = c >= '0' && c <= '9';
  const bool alpha = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  const bool token = digit || alpha || one_of(c, "!#$%&'*+-.^_`|~");
  const bool unreserved = digit || alpha || one_of(c, "-._~");
  const bool host = unreserved || one_of(c, "!$&'()*+,;=");
  unsigned bits = 0;
  if (token) bits |= token_char;
  if (token && c != '_') bits |= name_char;
  if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= value_char;
  if (c > 0x20 && c < 0x7f && c != '#') bits |= target_char;
  if (host) bits |= host_char;
  if (host || one_of(c, ":@/")) bits |= path_char;
  if (unreserved) bits |= unreserved_char;
  if (digit || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f')) bits |= hex_char;
  return static_cast<std::uint8_t>(bits);
}

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = class_of(c);
  return table;
}

}  // namespace detail

inline constexpr std::array<std::uint8_t, 256> classes = detail::make_classes();

constexpr bool is(char c, class_bit bit) noexcept {
  return (classes[static_cast<unsigned char>(c)] & bit) != 0;
}

// Of a hex_char.
constexpr unsigned hex_value(char c) noexcept {
  const auto octet = static_cast<unsigned char>(c);
  return octet <= '9' ? octet - unsigned{'0'} : (octet | 0x20U) - unsigned{'a'} + 10U;
}

}  // namespace rw::http
