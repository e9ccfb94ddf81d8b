// base64url without padding (RFC 4648 5, RFC 7515 2), strict: one text for one sequence of octets.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rw::auth {

// Octets that `length` characters decode to; only meaningful where decode accepts.
constexpr std::size_t base64url_decoded_bytes(std::size_t length) noexcept {
  return length / 4 * 3 + (length % 4 > 1 ? length % 4 - 1 : 0);
}

// Decodes into `out`, which must hold base64url_decoded_bytes(text.size()), and returns how many
// octets it wrote. Nothing for padding, white space, any octet outside the alphabet, an impossible
// length, and bits left over that are not zero.
std::optional<std::size_t> decode_base64url(std::string_view text, std::span<char> out) noexcept;

// The same into a string of its own, for files.
std::optional<std::string> decode_base64url(std::string_view text);

void append_base64url(std::string& out, std::string_view octets);

}  // namespace rw::auth
