// The ten signature algorithms of JWS that Ringward takes (RFC 7518 3.1, RFC 8037 3.1), and the
// kinds of key each of them fits. `none` and HMAC are not among them, so nothing can name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.h"

namespace rw::auth {

using algorithm = config::jws_algorithm;

inline constexpr std::size_t algorithm_count = 10;

enum class key_type : std::uint8_t { rsa, p256, p384, p521, ed25519 };

enum class digest_kind : std::uint8_t { sha256, sha384, sha512 };

// A set of algorithms, as config::jwt_issuer::algorithms keeps it: bit i is algorithm i.
struct algorithm_set {
  std::uint16_t bits = 0;
  constexpr bool contains(algorithm one) const noexcept {
    return (bits >> static_cast<unsigned>(one) & 1U) != 0;
  }
  bool operator==(const algorithm_set&) const = default;
};

// Case-sensitive, as RFC 7515 4.1.1 has it; nothing for any other name.
std::optional<algorithm> find_algorithm(std::string_view name) noexcept;
std::string_view name(algorithm one) noexcept;

// RFC 7518 3.4: each ES algorithm has one curve. RSA keys fit all RS and PS algorithms.
bool fits(key_type key, algorithm one) noexcept;

// The algorithm a key without `alg` signs with: RS256, the curve's ES, EdDSA.
algorithm default_algorithm(key_type key) noexcept;

bool is_pss(algorithm one) noexcept;

// The digest of the signing input; EdDSA signs the input itself, so it has none and must not ask.
digest_kind digest_of(algorithm one) noexcept;

// `crv` of the key type; empty for RSA.
std::string_view curve_name(key_type key) noexcept;

// Octets of a coordinate, of r and of s; 32 for Ed25519; 0 for RSA.
std::size_t field_bytes(key_type key) noexcept;

}  // namespace rw::auth
