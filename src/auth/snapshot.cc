#include <algorithm>

#include "auth/authenticate.h"

namespace rw::auth {

snapshot make_snapshot(const config::configuration& configuration) {
  snapshot out;
  const auto reads = [&](std::string_view header) {
    return std::ranges::find(configuration.api_keys.headers, header) !=
           configuration.api_keys.headers.end();
  };
  out.keys_in_x_api_key = configuration.has_api_keys && reads("x-api-key");
  out.keys_in_authorization = configuration.has_api_keys && reads("authorization");
  out.slow_for = configuration.api_keys.cache;
  for (const config::jwt_issuer& one : configuration.jwt) {
    out.issuers.push_back({.rules = token_rules(one), .keys = nullptr, .ours = one.jwks_mint});
    if (one.replay_by_jti && !out.used) out.used = std::make_shared<replay_table>();
  }
  return out;
}

std::string_view name(credential_kind kind) noexcept {
  switch (kind) {
    case credential_kind::none:
      return "none";
    case credential_kind::api_key:
      return "api_key";
    case credential_kind::jwt:
      return "jwt";
    case credential_kind::mtls:
      return "mtls";
  }
  return "unknown";
}

}  // namespace rw::auth
