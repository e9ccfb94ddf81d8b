// What a limit counts by, as one unpredictable 64-bit number.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/country.h"
#include "config/config.h"

namespace rw::limit {

// Who is asking. Views live as long as the call.
struct caller {
  std::array<std::uint8_t, 16> client{};  // network order; IPv4 as ::ffff:a.b.c.d
  std::string_view identity;              // unique within its realm
  std::string_view realm;                 // who vouches for it: an issuer, or "" for our own keys
  std::uint32_t route = 0;                // index into configuration::routes
  rw::country country;                    // of the client; all that are not known are one
  std::span<const std::string_view> headers;  // values of the limit's own, absent ones empty
  config::rate own;                           // replaces the rate of limits by identity; 0: none
};

// SipHash-2-4 under a key that is random per process: nobody outside can aim at a set, or at
// another caller's entry. Two callers share a budget with probability 2^-64. Never 0.
struct key {
  std::uint64_t hash = 0;
  friend bool operator==(const key&, const key&) = default;
};

// Which parts of a caller a limit joins.
struct key_recipe {
  bool client = false;
  bool identity = false;
  bool route = false;
  bool country = false;
  bool headers = false;
  unsigned ipv6_prefix = 64;  // bits, 0..128; IPv4 always counts by its full address
  friend bool operator==(const key_recipe&, const key_recipe&) = default;
};

key_recipe make_recipe(const config::limit& limit) noexcept;

// An address as it is counted: IPv6 without what follows its first `prefix` bits.
std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> address, unsigned prefix) noexcept;

using hash_key = std::array<unsigned char, 16>;

// Pure; any thread.
key make_key(const key_recipe& recipe, const caller& who, const hash_key& secret) noexcept;

}  // namespace rw::limit
