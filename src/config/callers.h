// Of the configuration: who callers are, [auth.*]. See config.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/place.h"
#include "config/secret_source.h"

namespace rw::config {

using std::chrono::nanoseconds;
using std::chrono::seconds;

struct api_keys {
  std::string file = "/etc/ringward/api-keys";
  place file_at;
  std::vector<std::string> headers = {"x-api-key", "authorization"};  // or one of the two
  nanoseconds cache = std::chrono::minutes{5};  // how long a slow hash that matched is remembered
};

enum class jws_algorithm : std::uint8_t {
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa
};

// Where an issuer's keys are fetched from.
struct remote_keys {
  place at;
  std::string url;        // empty with `discover`, and where the keys are not remote
  bool discover = false;  // by the issuer's openid-configuration
  nanoseconds refresh = std::chrono::minutes{10};
  nanoseconds max_stale = std::chrono::hours{24};  // since they were last fetched
  std::vector<std::string> pin;                    // "sha256/BASE64"
  std::string ca = "system";                       // or a PEM file
  place ca_at;
};

struct jwt_issuer {
  std::string name;  // the NAME of [auth.jwt.NAME]
  std::string issuer;
  std::vector<std::string> audiences;
  std::string jwks_file;  // empty with jwks_mint and with remote keys
  place jwks_at;
  bool jwks_mint = false;  // trust the key set of [auth.mint]
  remote_keys jwks_remote;
  std::uint16_t algorithms = 0x3ff;  // bit i: jws_algorithm i
  nanoseconds leeway = seconds{30};
  std::vector<std::string> require = {"exp"};
  nanoseconds max_age = std::chrono::hours{24};
  std::string identity = "sub";
  std::string rate_claim;  // empty: no claim gives a caller a rate of its own
  std::vector<std::string> scopes;
  bool replay_by_jti = false;  // a jti is accepted once
  std::uint32_t max_token_bytes = 8U << 10U;

  bool has_remote_keys() const noexcept { return jwks_remote.discover || !jwks_remote.url.empty(); }
};

struct mint {
  bool present = false;
  secret_source key;  // a private JWK
  std::string issuer;
  std::string audience;
  nanoseconds ttl = std::chrono::hours{1};
};

}  // namespace rw::config
