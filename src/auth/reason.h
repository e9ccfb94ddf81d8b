// Why a request was, or was not, let in: one word for the access line, the audit record and the
// counters. The client is never told more than the status and RFC 6750's error code.
#pragma once

#include <cstdint>
#include <string_view>

namespace rw::auth {

enum class reason : std::uint8_t {
  none,                // allowed
  missing,             // no credential where one is needed
  ambiguous,           // a header twice, or two keys of different callers
  unsupported_scheme,  // Authorization with a scheme that is neither Bearer nor absent
  malformed,           // not a key, not a compact JWS, not strict base64url or JSON
  too_large,           // a token longer than max_token_bytes, or a header beyond its bounds
  not_accepted,        // a valid credential of a kind this route does not take
  unknown_key,         // no such API key
  algorithm,           // `alg` none, HMAC, unknown, not the issuer's or not the key's
  header,              // crit, b64, an embedded key or URL, compression, a foreign typ
  unknown_kid,         // the key set has no such key, or no kid and not exactly one key fits
  bad_signature,       // the signature does not verify
  wrong_issuer,        // `iss` is none that this route trusts
  wrong_audience,      // `aud` names none of the issuer's audiences
  expired,             // `exp` has passed
  not_yet_valid,       // `nbf` or `iat` lies in the future
  too_old,             // lives longer than max_age
  missing_claim,       // a required claim is absent
  bad_claim,           // a claim has the wrong type or a value out of range
  insufficient_scope,  // valid, but without a scope the issuer's table asks for: 403
  keys_unavailable,    // the issuer's key set could not be loaded: 503
  unverified,          // a key whose slow hash has not been computed: 503
  key_removed,         // a token of our mint whose key is no longer in force
  revoked,             // its name, its jti or its kid is on the list of `ringward revoked`
  replayed,            // replay = "jti": this jti has been used
  replay_full,         // replay = "jti": no room to remember this jti: 503
  replay_unknown,      // replay = "jti": where gateways share them nobody can be asked: 503
  certificate,         // bound by `cnf` to what this client has not shown
  certificate_name,    // the client's certificate has no name that could be a caller's
};

inline constexpr std::size_t reason_count = static_cast<std::size_t>(reason::certificate_name) + 1;

// snake_case, stable: operators write it into alerts.
std::string_view name(reason why) noexcept;

// The HTTP status for a refusal: 400, 401, 403 or 503; 200 for none.
unsigned status_of(reason why) noexcept;

// Of two reasons why none of several credentials did, the one an operator learns more from.
reason more_telling(reason a, reason b) noexcept;

}  // namespace rw::auth
