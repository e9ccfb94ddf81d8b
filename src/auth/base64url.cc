#include "auth/base64url.h"

#include <array>
#include <cstdint>

#include "base/assert.h"

namespace rw::auth {

namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint32_t bad = 0x8000'0000U;

// Each character's six bits, already where the decoder wants them: four tables, one per position
// of a group, so that a group costs four loads and three ORs.
constexpr auto tables = [] {
  std::array<std::array<std::uint32_t, 256>, 4> out{};
  for (std::size_t position = 0; position < 4; ++position) {
    out[position].fill(bad);
    for (std::uint32_t value = 0; value < 64; ++value) {
      out[position][static_cast<unsigned char>(alphabet[value])] = value << (18 - 6 * position);
    }
  }
  return out;
}();

std::uint32_t look_up(std::size_t position, char c) noexcept {
  return tables[position][static_cast<unsigned char>(c)];
}

}  // namespace

std::optional<std::size_t> decode_base64url(std::string_view text, std::span<char> out) noexcept {
  const std::size_t length = base64url_decoded_bytes(text.size());
  RW_ASSERT(out.size() >= length);
  if (text.size() % 4 == 1) return {};
  char* to = out.data();
  std::uint32_t wrong = 0;
  const char* from = text.data();
  for (std::size_t groups = text.size() / 4; groups > 0; --groups, from += 4, to += 3) {
    const std::uint32_t bits =
        look_up(0, from[0]) | look_up(1, from[1]) | look_up(2, from[2]) | look_up(3, from[3]);
    wrong |= bits;
    to[0] = static_cast<char>(bits >> 16 & 0xff);
    to[1] = static_cast<char>(bits >> 8 & 0xff);
    to[2] = static_cast<char>(bits & 0xff);
  }
  if (text.size() % 4 >= 2) {
    const bool three = text.size() % 4 == 3;
    const std::uint32_t bits =
        look_up(0, from[0]) | look_up(1, from[1]) | (three ? look_up(2, from[2]) : 0);
    wrong |= bits;
    if ((bits & (three ? 0xffU : 0xffffU)) != 0) return {};
    to[0] = static_cast<char>(bits >> 16 & 0xff);
    if (three) to[1] = static_cast<char>(bits >> 8 & 0xff);
  }
  if ((wrong & bad) != 0) return {};
  return length;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string out(base64url_decoded_bytes(text.size()), '\0');
  if (!decode_base64url(text, std::span(out))) return {};
  return out;
}

void append_base64url(std::string& out, std::string_view octets) {
  const auto at = [&](std::size_t i) -> std::uint32_t {
    return i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0U;
  };
  for (std::size_t i = 0; i < octets.size(); i += 3) {
    const std::uint32_t bits = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    const std::size_t left = octets.size() - i;
    out += alphabet[bits >> 18];
    out += alphabet[bits >> 12 & 63];
    if (left > 1) out += alphabet[bits >> 6 & 63];
    if (left > 2) out += alphabet[bits & 63];
  }
}

}  // namespace rw::auth
