// One element of DER after the other (X.690 10.1). Inside tls/ only.
#pragma once

#include <optional>
#include <string_view>

namespace rw::tls {

struct der_element {
  unsigned char tag = 0;
  std::string_view body;
  std::string_view whole;  // with tag and length
};

// The first element of `from`, which is advanced past it; both views are into it. Nothing, and
// `from` as it was, for what is no DER: cut off, a length that is indefinite, of more than four
// octets or longer than it need be, a tag of several octets.
std::optional<der_element> next_element(std::string_view& from) noexcept;

// The same for an element of this tag alone: its body.
std::optional<std::string_view> next_body(std::string_view& from, unsigned char tag) noexcept;

inline constexpr unsigned char der_sequence = 0x30;
inline constexpr unsigned char der_set = 0x31;
inline constexpr unsigned char der_oid = 0x06;
inline constexpr unsigned char der_octets = 0x04;

}  // namespace rw::tls
