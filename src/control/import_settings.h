// What the settings of an old system mean: nginx with limit_req and auth_request, and a verifier
// of API keys and tokens behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "control/import_env.h"
#include "control/import_keys.h"
#include "control/import_note.h"

namespace rw::control {

struct old_limit {
  config::rate rate;
  std::uint64_t burst = 0;  // of our bucket: nginx's burst, and the one request that it lets in
};

// "10/s", as the contract writes it.
std::string to_text(const config::rate& rate);

struct old_settings {
  std::vector<old_key> keys;           // API_KEY, API_KEYS
  std::vector<env_setting> key_files;  // API_KEYS_FILE and those whose names go on behind that
  env_setting jwks_url;                // empty without one
  config::nanoseconds jwks_ttl{0};     // 0: not set
  config::nanoseconds jwt_ttl = std::chrono::hours{1};
  std::string issuer;                  // empty: not set
  std::vector<std::string> audiences;  // likewise
  old_limit api{{10, std::chrono::seconds{1}}, 20};
  old_limit auth{{5, std::chrono::minutes{1}}, 5};
  env_setting github_token;
  env_setting certificates;  // HOST_CERTS_DIR
};

// Of several settings of one name the last counts. What is wrong keeps its default, and is noted
// together with settings that nothing is known of, without their values.
old_settings read_old_settings(std::span<const env_setting> settings, std::string_view file,
                               import_notes& out);

}  // namespace rw::control
