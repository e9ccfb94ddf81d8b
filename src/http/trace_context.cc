#include "http/trace_context.h"

#include <algorithm>

namespace rw::http {
namespace {

constexpr char digits[] = "0123456789abcdef";

bool is_digit(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_number(std::string_view text) noexcept { return std::ranges::all_of(text, is_digit); }

bool is_id(std::string_view text) noexcept {
  return is_number(text) && text.find_first_not_of('0') != text.npos;
}

// The most significant digit first.
void write(std::uint64_t number, char* out) noexcept {
  for (unsigned i = 0; i < 16; ++i) out[i] = digits[number >> (60 - 4 * i) & 15U];
}

}  // namespace

bool trace_context::parse(std::string_view value) noexcept {
  if (value.size() < octets) return false;
  const std::string_view version = value.substr(0, 2);
  if (!is_number(version) || version == "ff") return false;
  if (value.size() > octets && (version == "00" || value[octets] != '-')) return false;
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return false;
  if (!is_id(value.substr(3, 32)) || !is_id(value.substr(36, 16))) return false;
  if (!is_number(value.substr(53, 2))) return false;
  std::ranges::copy(value.substr(0, octets), text_.begin());
  text_[0] = text_[1] = text_[53] = '0';
  const char low = value[54];
  const int flags = low <= '9' ? low - '0' : low - 'a' + 10;
  text_[54] = (flags & 1) != 0 ? '1' : '0';
  return true;
}

void trace_context::begin(std::uint64_t high, std::uint64_t low) noexcept {
  std::ranges::copy(std::string_view("00-"), text_.begin());
  write(high, text_.data() + 3);
  write(low, text_.data() + 19);
  text_[35] = text_[52] = '-';
  text_[53] = '0';
  text_[54] = '1';
}

void trace_context::set_parent(std::uint64_t id) noexcept { write(id, text_.data() + 36); }

}  // namespace rw::http
