// The claims of a token whose signature has been checked, held against one issuer's rules
// (RFC 7519 4.1, RFC 9068 2.2, RFC 8693 4.2). Pure: `now` is an argument.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "auth/algorithm.h"
#include "auth/reason.h"
#include "base/clock.h"
#include "config/config.h"

namespace rw::auth {

class json_object;

// RFC 7519 2, NumericDate: seconds since 1970 UTC with a fraction, kept to the microsecond so that
// every date up to the year 9999 fits.
using numeric_date = std::chrono::sys_time<std::chrono::microseconds>;

// One [auth.jwt.NAME] in the form the request path needs. Immutable.
struct token_rules {
  token_rules() = default;
  explicit token_rules(const config::jwt_issuer& from);

  std::string name;
  std::string issuer;
  std::vector<std::string> audiences;
  algorithm_set algorithms;
  std::chrono::microseconds leeway{0};
  std::chrono::microseconds max_age{0};  // 0: no bound
  std::vector<std::string> require;
  std::string identity;    // the name of the claim
  std::string rate_claim;  // names the claim with the caller's own rate; empty: none does
  std::vector<std::string> scopes;
  bool once = false;  // replay = "jti"
  std::size_t max_token_bytes = 0;

  bool operator==(const token_rules&) const = default;
};

inline constexpr std::size_t jti_bytes_max = 256;
inline constexpr std::size_t rate_text_bytes_max = 24;
inline constexpr std::size_t thumbprint_chars = 43;  // a SHA-256 in base64url

// What a token says once it is believed. The views live as long as the parsed claims do.
struct checked_claims {
  reason why = reason::none;  // or insufficient_scope: a good token that may not do this
  std::string_view identity;  // 1..256 visible ASCII octets
  std::string scopes;         // space-separated, whatever form they came in
  std::string_view jti;       // at most jti_bytes_max octets; empty: it has none
  std::string_view bound;     // cnf.x5t#S256 (RFC 8705 3.1), as it stands there; empty: not bound
  std::string_view rate;      // "100/s" of rate_claim, as config::parse_rate() takes it, or empty
  numeric_date expires = numeric_date::max();  // exp; max() where there is none
  // The token passes from the first moment up to, not including, the second; leeway included.
  numeric_date valid_from = numeric_date::min();
  numeric_date valid_until = numeric_date::max();
};

// Only `iss`: which rules the token asks to be held against. Not to be believed by itself.
std::expected<std::string_view, reason> issuer_of(const json_object& claims);

// Every check but the signature; a missing scope is no failure here but `why`, so that the caller
// knows who was refused. `exp` is exclusive: a token is refused from exp + leeway on.
// Without exp, a token passes until iat + max_age; with neither exp nor iat it is refused as too
// old unless max_age is off.
std::expected<checked_claims, reason> check_claims(const json_object& claims,
                                                   const token_rules& rules, wall_time now);

}  // namespace rw::auth
