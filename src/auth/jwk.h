// One public key of a JWK set (RFC 7517 4, RFC 7518 6, RFC 8037 2), validated once and immutable.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "auth/algorithm.h"

namespace rw::auth {

class json_object;

inline constexpr unsigned rsa_bits_min = 2048;
inline constexpr unsigned rsa_bits_max = 8192;

// The numbers themselves, not a crypto library's object: those are written to while they verify
// (wolfCrypt keeps buffers and states in an RsaKey), so a shared one could not be used by many
// threads. Rebuilding one on the stack costs 0.3 to 4 % of the verification.
struct public_key {
  key_type type = key_type::rsa;
  std::optional<algorithm> alg;    // `alg`, when the key names one
  std::optional<std::string> kid;  // `kid`, when it has one
  std::string n;                   // RSA: modulus, big-endian, without leading zeros
  std::string e;                   // RSA: exponent, likewise, 8 octets at most
  std::string x;                   // EC, OKP: field_bytes(type) octets
  std::string y;                   // EC: likewise

  bool operator==(const public_key&) const = default;

  // Whether a token that says `one` may be checked with this key.
  bool fits(algorithm one) const noexcept { return auth::fits(type, one) && (!alg || *alg == one); }
};

// Why a JWK is not taken. `text` is a literal, empty for a key that is simply not meant for
// signatures (use "enc", an encryption `alg`), which is no mistake.
struct jwk_refusal {
  const char* text;
};

// Checks everything there is to check about the numbers: RSA 2048..8192 bits with an odd modulus
// and an odd exponent from 3 up to 64 bits, a point on its curve, a Ed25519 point of full order.
// Private members are not looked for here: has_private_member() is asked first. `operation` is what
// `key_ops`, where there is one, has to have in it (RFC 7517 4.3): "sign" for a key that signs.
std::expected<public_key, jwk_refusal> parse_public_jwk(const json_object& jwk,
                                                        std::string_view operation = "verify");

// Any of d, p, q, dp, dq, qi, oth, k, priv, whatever `kty` says.
bool has_private_member(const json_object& jwk);

// RFC 7638: SHA-256 over the required members in lexical order, as base64url.
std::string thumbprint(const public_key& key);

// {"kty":...,"use":"sig",...} as it stands in a JWK set, without the private part.
std::string to_jwk(const public_key& key);

}  // namespace rw::auth
