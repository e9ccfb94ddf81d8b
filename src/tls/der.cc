#include "tls/der.h"

#include <cstddef>

namespace rw::tls {

std::optional<der_element> next_element(std::string_view& from) noexcept {
  const auto octet = [from](std::size_t at) { return static_cast<unsigned char>(from[at]); };
  constexpr unsigned char many_octets = 0x1f;
  if (from.size() < 2 || (octet(0) & many_octets) == many_octets) return {};
  std::size_t length = octet(1);
  std::size_t header = 2;
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7fU;
    if (octets == 0 || octets > 4 || from.size() < header + octets) return {};
    length = 0;
    for (; header < 2 + octets; ++header) length = length << 8U | octet(header);
    if (length < 0x80 || octet(2) == 0) return {};
  }
  if (from.size() - header < length) return {};
  const std::string_view whole = from.substr(0, header + length);
  from.remove_prefix(whole.size());
  return der_element{static_cast<unsigned char>(whole[0]), whole.substr(header), whole};
}

std::optional<std::string_view> next_body(std::string_view& from, unsigned char tag) noexcept {
  std::string_view rest = from;
  const auto one = next_element(rest);
  if (!one || one->tag != tag) return {};
  from = rest;
  return one->body;
}

}  // namespace rw::tls
