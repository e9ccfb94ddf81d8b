// Sets of IP networks, for questions asked on every connection or request.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace rw::config {

// An address in network order; IPv4 in its mapped form ::ffff:a.b.c.d.
using ip16 = std::array<std::uint8_t, 16>;

// Immutable once parsed. contains() is safe from any thread, never allocates, and is a binary
// search over disjoint ranges.
class cidr_set {
 public:
  cidr_set() = default;

  // "10.0.0.0/8", "2001:db8::/32", or an address alone. Bits after the prefix must be zero. Mapped
  // IPv4 is IPv4; an IPv6 network never contains an IPv4 address, not even ::/0.
  // Errors: fault::invalid with a literal text.
  static result<cidr_set> parse(std::span<const std::string> networks);

  bool contains(const ip16& ip) const noexcept;
  bool empty() const noexcept { return v4_.empty() && v6_.empty(); }

 private:
  __extension__ using u128 = unsigned __int128;
  template <class N>
  struct range {
    N first;
    N last;  // inclusive
  };

  result<> add(std::string_view network);
  template <class N>
  static void join(std::vector<range<N>>& ranges);
  template <class N>
  static bool within(const std::vector<range<N>>& ranges, N ip) noexcept;

  std::vector<range<std::uint32_t>> v4_;
  std::vector<range<u128>> v6_;
};

}  // namespace rw::config
