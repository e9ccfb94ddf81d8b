// Who is calling: from the credentials in a head and one snapshot of keys to a verdict. Pure: no
// clock, no I/O; one `authenticator` per worker, used by that worker's thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/claims.h"
#include "auth/identity.h"
#include "auth/key_set.h"
#include "auth/key_store.h"
#include "auth/reason.h"
#include "auth/replay_table.h"
#include "auth/revocations.h"
#include "auth/slow_cache.h"
#include "auth/token_cache.h"
#include "base/clock.h"
#include "config/config.h"

namespace rw::auth {

// What a TLS client has proven to be: its certificate was verified and the key is its.
struct client_certificate {
  identity who;            // SAN URI, else DNS, else CN; empty when none of them is usable
  std::string thumbprint;  // base64url of the SHA-256 of its DER (RFC 8705 3.1)
  wall_time until = wall_time::max();  // it proves nothing from then on
};

// What a head carried. Views into the head, without OWS around the values; only the first line's
// value of each, and how many lines there were.
struct presented {
  std::string_view api_key;  // x-api-key
  std::size_t api_key_lines = 0;
  std::string_view authorization;
  std::size_t authorization_lines = 0;
  const client_certificate* certificate = nullptr;  // of the connection; null: none was shown
  const slow_answer* answer = nullptr;  // to the verdict that was pending; null: none was
  bool cannot_spend = false;  // a token that counts once is refused with reason::replay_unknown
};

struct issuer {
  // Of rules and keys: a token that was found good by them is as long as this stays. Never used for
  // two of them at the same place.
  std::uint64_t generation = 0;
  token_rules rules;                    // from config::jwt_issuer
  std::shared_ptr<const key_set> keys;  // null: not loaded, tokens of this issuer get 503
  bool remote = false;                  // `keys` are fetched, and could be fetched again
  bool ours = false;  // of [auth.mint]: a token lives no longer than its key's line
};

// Everything that decides, immutable once published, shared by all workers. `issuers` has the order
// of configuration::jwt, so that config::credential::issuer is an index into it.
struct snapshot {
  std::shared_ptr<const key_store> keys;  // null: no [auth.api_keys]
  bool keys_in_x_api_key = true;          // [auth.api_keys].headers
  bool keys_in_authorization = true;
  nanoseconds slow_for = std::chrono::minutes{5};  // [auth.api_keys].cache
  std::vector<issuer> issuers;
  std::shared_ptr<replay_table> used;  // null: no issuer says replay = "jti"
};

// The part of a snapshot that comes from the configuration; the caller adds keys and key sets, and
// then numbers the issuers.
snapshot make_snapshot(const config::configuration& configuration);

// An issuer whose place, rules and keys are as in `before`, what was in force until now, keeps its
// generation and so its cached tokens; all others get `fresh`, which must never have been used.
void number_issuers(snapshot& made, const snapshot* before, std::uint64_t fresh) noexcept;

enum class credential_kind : std::uint8_t { none, api_key, jwt, mtls };

std::string_view name(credential_kind kind) noexcept;

struct verdict {
  reason why = reason::none;                     // none: allowed
  credential_kind kind = credential_kind::none;  // what `who` was taken from
  std::uint32_t issuer = 0;                      // for kind jwt: index into snapshot::issuers
  identity who;                                  // empty on an open route
  numeric_date expires = numeric_date::max();    // the token's exp; max() where there is none
  config::rate rate;          // its own, by the key file or the token's claim; count 0: none
  std::string_view key_name;  // of the API key that was presented; in the snapshot's store
  line_tag key_line{};        // of that key; what a token minted for it is bound to
  std::string_view scopes;    // the token's, space-separated; valid until the next authenticate()
  std::string_view token_id;  // its jti; without one "kid:" and its kid, or nothing; valid as long
  // A token that counts once, and was new to snapshot::used: until when it is in there; else the
  // epoch. `token_id` is its jti then.
  numeric_date spent_until{};
  std::uint32_t spent_issuer = 0;  // whose it is
  // Keys that are not there could change this refusal: index into snapshot::issuers. Those of an
  // issuer whose keys are fetched, for a token that is good but for its key or its signature.
  std::uint32_t wants_keys_of = no_issuer;
  static constexpr std::uint32_t no_issuer = UINT32_MAX;

  // With reason::unverified: the key that has to be held against key_store::slow_lines() before
  // this can be decided; then the same call with presented::answer set. A view into the head.
  std::string_view slow_key;
  bool slow_key_known = false;  // it has matched before

  bool pending() const noexcept { return !slow_key.empty(); }
  bool allowed() const noexcept { return why == reason::none; }
  unsigned status() const noexcept { return status_of(why); }
};

class authenticator {
 public:
  explicit authenticator(token_cache_limits limits = {});
  authenticator(authenticator&&) noexcept;
  authenticator& operator=(authenticator&&) noexcept;
  ~authenticator();

  // A route that lists nothing in `any` (its `auth`) and `all` (its `auth_all`) is open. Otherwise
  // every credential presented must be valid, one of `any` must be among them when it lists any,
  // and each of `all`. The identity is that of the first of `any` that was presented, else of the
  // first of `all`. With insufficient_scope, `who` says whose token it was. `now` is the wall
  // clock's, `mono_now` the other one's: what slow hashes said is remembered by that.
  verdict authenticate(const presented& credentials, std::span<const config::credential> any,
                       std::span<const config::credential> all, const snapshot& state,
                       wall_time now, mono_time mono_now = {});

  // ---- for keys with slow hashes
  // The digests of all that share a secret are the same; at first each has one of its own.
  void share_secret(const digest_secret& secret) noexcept;
  key_digest digest(std::string_view key) const noexcept;
  void learn(const slow_answer& what, mono_time now, nanoseconds right_for) noexcept;

  // From now on; null for none. By this thread.
  void revoke(std::shared_ptr<const revocation_list> list) noexcept;
  // Whether what let a request in then has been revoked since. Its credentials are parsed, nothing
  // is verified or spent again.
  bool is_revoked(const presented& credentials, const verdict& then, const snapshot& state,
                  wall_time now);

  // Tokens answered from the cache and tokens verified, since construction; for the counters.
  std::uint64_t cache_hits() const noexcept;
  std::uint64_t cache_misses() const noexcept;

 private:
  struct work;
  std::unique_ptr<work> work_;
};

// The value of WWW-Authenticate for a 400, 401 or 403 (RFC 6750 3), appended to `out`: an error
// code only when a bearer credential was presented, `scopes` only with insufficient_scope. Never
// more.
void append_challenge(std::string& out, reason why, std::span<const std::string> scopes);

}  // namespace rw::auth
