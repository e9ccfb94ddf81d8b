// What authenticate() knows of one request while it decides, between authenticate.cc and
// check_token.cc. Inside auth/ only.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/authenticate.h"
#include "auth/json.h"
#include "auth/jws.h"
#include "auth/presented_key.h"
#include "auth/token_id.h"

namespace rw::auth {

// One request at a time; between requests only the cache and the buffers' capacity matter.
struct authenticator::work {
  explicit work(token_cache_limits limits) : cache(limits) {}

  void begin(const snapshot& state, wall_time at, mono_time mono, const slow_answer* said) {
    snap = &state;
    keys.begin(state, at, mono, said);
    now = at;
    now_us = std::chrono::floor<std::chrono::microseconds>(at);
    token = {};
    has_token = false;
    parts.reset();
    issuer_claim.reset();
    good_issuer.reset();
    certificate = nullptr;
    wants_keys_of = verdict::no_issuer;
  }

  reason take_key(std::string_view key);
  reason check_token(std::uint32_t index);
  reason check_signed(std::uint32_t index);
  reason verify_token(std::uint32_t index);
  void want_keys(std::uint32_t index, const json_object& claims);
  reason find_cached(std::uint32_t index);
  reason accept(std::uint32_t index, const token_cache::hit& says);
  bool is_revoked(std::uint32_t index, std::string_view who, std::string_view jti,
                  std::string_view kid) const noexcept;
  reason spend(const presented& credentials, verdict& out);
  reason scan_token(std::span<const config::credential> any,
                    std::span<const config::credential> all);
  reason check_certificate() const noexcept;
  reason check(const config::credential& one);
  reason take(const presented& credentials, std::span<const config::credential> any,
              std::span<const config::credential> all);
  void fill(verdict& out, const config::credential& one);

  token_cache cache;
  jws_reader reader;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::shared_ptr<const revocation_list> revoked;  // null: nothing is

  const snapshot* snap = nullptr;
  wall_time now;
  numeric_date now_us;
  const client_certificate* certificate = nullptr;

  presented_keys keys;

  bool has_token = false;
  std::string_view token;
  std::optional<std::expected<jws_parts, reason>> parts;  // read once per request
  std::optional<std::expected<std::string_view, reason>> issuer_claim;
  // The last issuer whose rules the token passed, and what it says by them.
  std::optional<std::uint32_t> good_issuer;
  std::uint32_t wants_keys_of = verdict::no_issuer;
  identity token_identity;
  numeric_date token_expires;
  numeric_date token_until;
  config::rate token_rate;
  std::string token_id;                // verdict::token_id; where it counts once, its jti
  std::optional<line_tag> token_line;  // of the key that it was minted for
  std::string scopes;
};

}  // namespace rw::auth
