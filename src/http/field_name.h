// From a field name to its field_id: one perfect hash found by the compiler. Internal to http/.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/field.h"

namespace rw::http {

// In the order of field_id.
inline constexpr std::array<std::string_view, field_id_count> known_names = {
    "",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "expect",
    "te",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "trailer",
    "proxy-authorization",
    "proxy-authenticate",
    "authorization",
    "x-api-key",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "dpop",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "forwarded",
    "via",
    "x-request-id",
    "date",
    "server",
    "x-powered-by",
    "content-type",
    "content-encoding",
    "content-range",
    "retry-after",
    "location",
    "user-agent",
    "accept",
    "accept-encoding",
    "cache-control",
    "age",
    "expires",
    "etag",
    "vary",
    "range",
    "origin",
    "referer",
    "max-forwards",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "ratelimit",
    "ratelimit-policy",
    "strict-transport-security",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "last-event-id",
    "traceparent",
    "tracestate"};

static_assert(known_names[static_cast<std::size_t>(field_id::last_event_id)] == "last-event-id");
static_assert(known_names[static_cast<std::size_t>(field_id::x_api_key)] == "x-api-key");
static_assert(field_id_count <= 64);

namespace detail {

// Two overlapping words hold all of a name up to eight octets, and both ends of a longer one. The
// bit that tells the cases apart is set in all octets: harmless in a token, where only letters
// change.
struct name_words {
  std::uint64_t first;
  std::uint64_t last;
};

inline constexpr std::uint64_t lower_bits = 0x2020202020202020;

inline std::uint64_t word(const char* at, std::size_t size) noexcept {
  std::uint64_t value = 0;
  __builtin_memcpy(&value, at, size);
  return value;
}

constexpr std::uint64_t word_slowly(std::string_view text, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t octet = static_cast<unsigned char>(text[at + i]);
    const std::size_t place = std::endian::native == std::endian::little ? i : 7 - i;
    value |= octet << (8 * place);
  }
  return value;
}

constexpr name_words words_slowly(std::string_view text) {
  const std::size_t n = text.size();
  const std::size_t wide = n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : n;
  return {word_slowly(text, 0, wide) | lower_bits, word_slowly(text, n - wide, wide) | lower_bits};
}

inline name_words words(std::string_view text) noexcept {
  const std::size_t n = text.size();
  const char* at = text.data();
  if (n >= 8) return {word(at, 8) | lower_bits, word(at + n - 8, 8) | lower_bits};
  if (n >= 4) return {word(at, 4) | lower_bits, word(at + n - 4, 4) | lower_bits};
  if (n >= 2) return {word(at, 2) | lower_bits, word(at + n - 2, 2) | lower_bits};
  const std::uint64_t one = (n == 1 ? word(at, 1) : 0) | lower_bits;
  return {one, one};
}

constexpr std::size_t slot_of(name_words key, std::size_t size, std::uint64_t multiplier) {
  const std::uint64_t mixed = (key.first ^ std::rotl(key.last, 23)) + size;
  return static_cast<std::size_t>((mixed * multiplier) >> 55);
}

struct name_table {
  struct row {
    name_words key{};
    std::uint8_t size = 0;  // 0: a free row
    field_id id = field_id::none;
  };
  std::uint64_t multiplier = 0;
  std::array<std::uint8_t, 512> slots{};
  std::array<row, field_id_count> rows{};
};

consteval name_table make_name_table() {
  name_table table;
  for (std::size_t i = 1; i < field_id_count; ++i) {
    table.rows[i] = {words_slowly(known_names[i]), static_cast<std::uint8_t>(known_names[i].size()),
                     static_cast<field_id>(i)};
  }
  table.multiplier = 0x9e3779b97f4a7c15;
  for (bool found = false; !found;) {
    table.multiplier = table.multiplier * 6364136223846793005 + 1442695040888963407;
    table.slots = {};
    found = true;
    for (std::size_t i = 1; found && i < field_id_count; ++i) {
      std::uint8_t& slot =
          table.slots[slot_of(table.rows[i].key, table.rows[i].size, table.multiplier | 1)];
      found = slot == 0;
      slot = static_cast<std::uint8_t>(i);
    }
  }
  table.multiplier |= 1;
  return table;
}

inline constexpr name_table names = make_name_table();

// Two tokens of one length, without regard to case.
inline bool same_token(const char* a, const char* b, std::size_t size) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    if ((word(a + i, 8) | lower_bits) != (word(b + i, 8) | lower_bits)) return false;
  }
  for (; i < size; ++i) {
    if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
  }
  return true;
}

}  // namespace detail

// `name` must be a token: bits that tell the cases of letters apart are ignored everywhere.
inline field_id identify_token(std::string_view name) noexcept {
  const std::size_t size = name.size();
  const detail::name_words key = detail::words(name);
  const auto& table = detail::names;
  const auto& row = table.rows[table.slots[detail::slot_of(key, size, table.multiplier)]];
  if (row.size != size || row.key.first != key.first || row.key.last != key.last) {
    return field_id::none;
  }
  // The two words hold all of sixteen octets, and every longer name here but its middle.
  if (size <= 16) return row.id;
  const std::string_view known = known_names[static_cast<std::size_t>(row.id)];
  return detail::same_token(name.data() + 8, known.data() + 8, size - 16) ? row.id : field_id::none;
}

}  // namespace rw::http
