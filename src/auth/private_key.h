// A private JWK (RFC 7517, RFC 7518 6, RFC 8037 2): what [auth.mint].key holds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/jwk.h"
#include "base/error.h"
#include "base/secret.h"
#include "config/diagnostic.h"

namespace rw::auth {

// Immutable; any thread may read. The secret numbers are in guarded memory.
struct private_key {
  public_key pub;  // with `alg` and `kid`, always: made up when the JWK has none
  secret d;        // EC: field_bytes octets; Ed25519: seed and public key; RSA: empty
  // RSA, RFC 7518 6.3.2, as they came: d, p, q, dp, dq, qi
  secret rsa[6];

  algorithm alg() const noexcept { return *pub.alg; }
  std::string_view kid() const noexcept { return *pub.kid; }

  // BLAKE2b-256 of the private number under `label`: a secret that all who have this key share.
  secret derive(std::string_view label) const;

  // {"keys":[...]}: what verifiers of the minted tokens need.
  std::string public_set() const;
};

// Reads one JWK with all private members (RSA: with the CRT ones), checks it as a public key is
// checked, and signs and verifies once with it. Nothing, and an error that never quotes the text,
// when it is not usable. `text` holds a secret: the caller wipes it. `file` is for the diagnostics.
std::optional<private_key> load_private_key(std::string_view text, std::string_view file,
                                            config::diagnostics& out);

// A fresh private JWK, as text, for one of the ES algorithms or EdDSA; fault::unsupported for RSA,
// which takes seconds. The caller wipes what it gets when done.
result<std::string> generate_private_jwk(algorithm alg);

}  // namespace rw::auth
