// Signatures of JWS (RFC 7518 3, RFC 8037 3.1) over a signing input.
#pragma once

#include <string_view>

#include "auth/algorithm.h"
#include "auth/jwk.h"

namespace rw::auth {

inline constexpr std::size_t signature_bytes_max = rsa_bits_max / 8;

// True only for a valid signature. The key must fit the algorithm. RSA signatures have exactly the
// modulus' length (RFC 8017 8.1.2, 8.2.2; PSS salts that of the digest), ECDSA ones are r || s,
// each of the field's length and in [1, n-1], never DER. Any thread; uses up to 32 KiB of stack and
// touches nothing but its arguments.
bool verify_signature(const public_key& key, algorithm alg, std::string_view signing_input,
                      std::string_view signature) noexcept;

}  // namespace rw::auth
