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

void number_issuers(snapshot& made, const snapshot* before, std::uint64_t fresh) noexcept {
  const auto same_keys = [](const auto& a, const auto& b) {
    return a == b || (a != nullptr && b != nullptr && *a == *b);
  };
  for (std::size_t i = 0; i < made.issuers.size(); ++i) {
    issuer& one = made.issuers[i];
    one.generation = fresh;
    if (before == nullptr || i >= before->issuers.size()) continue;
    const issuer& was = before->issuers[i];
    if (one.rules == was.rules && same_keys(one.keys, was.keys)) one.generation = was.generation;
  }
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
