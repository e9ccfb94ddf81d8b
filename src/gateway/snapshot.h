// Everything a worker needs to know of the configuration: made off the workers, then immutable, one
// for all. A reload makes another; each exchange ends on the one it began with.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticate.h"
#include "auth/private_key.h"
#include "base/secret.h"
#include "config/cidr.h"
#include "config/config.h"
#include "config/diagnostic.h"
#include "gateway/cors.h"
#include "gateway/file_notes.h"
#include "gateway/header_rules.h"
#include "gateway/key_source.h"
#include "geo/country_table.h"
#include "limit/ban_table.h"
#include "limit/limiter.h"
#include "observe/exposition.h"
#include "observe/names.h"
#include "redis/target.h"
#include "route/table.h"
#include "tls/client_context.h"
#include "tls/context.h"
#include "upstream/health.h"
#include "upstream/server.h"

namespace rw::gateway {

struct listener_plan {
  const config::listener* settings = nullptr;
  std::shared_ptr<const tls::server_context> tls;    // null: plain
  config::cidr_set trusted;                          // client_address_from
  config::cidr_set proxies;                          // proxy_protocol_from
  std::shared_ptr<const limit::limiter> per_client;  // null: no bounds; see client_bounds.h
  // Connections open over all workers; carried over a reload, which changes no listener's place.
  std::shared_ptr<std::atomic<std::uint32_t>> open;
};

struct upstream_plan {
  const config::upstream* settings = nullptr;
  std::uint32_t index = 0;
  std::uint32_t label = 0;  // of its metrics
  std::vector<upstream::server> servers;
  std::vector<std::string> without_address;  // as configured: names that nobody knows an address of
  std::shared_ptr<const tls::client_context> tls;  // null: plain
  // In the order of `servers`; what it points to is carried over a reload, by the names of upstream
  // and server.
  upstream::cluster health;
};

struct route_plan {
  const config::route* settings = nullptr;
  std::uint32_t index = 0;
  std::uint32_t label = 0;                     // of its metrics
  std::vector<std::uint32_t> early_limits;     // asked before authentication
  std::vector<std::uint32_t> identity_limits;  // after it
  request_rules request;
  response_rules response;
  cors_rules cors;
  std::bitset<country::count> countries;  // let in; none: all of them
  std::vector<std::string> scopes;        // of the issuers it trusts, for insufficient_scope
};

// Where the keys of an issuer are fetched from; without `source` they are not.
struct key_plan {
  std::shared_ptr<key_source> source;
  std::shared_ptr<const tls::client_context> tls;  // of the control thread alone
};

// [ban]; see ban.h.
struct ban_plan {
  limit::ban_rule rule;
  std::array<std::uint32_t, static_cast<std::size_t>(limit::ban_cause::end)> weights{};
  config::cidr_set exempt;
};

struct snapshot {
  // Where this one has other addresses alone: what it was made from, and points into.
  std::shared_ptr<const snapshot> base;
  config::configuration settings;
  std::optional<route::table> routes;
  auth::snapshot auth;              // keys that are fetched: those known when this was made
  std::vector<key_plan> key_plans;  // in the order of auth.issuers
  std::optional<ban_plan> ban;      // none: nobody is banned
  std::optional<limit::limiter> limits;
  std::vector<std::uint32_t> limit_labels;            // of their metrics, by index
  bool shares = false;                                // whether any of them is shared
  std::shared_ptr<const secret> admin_credential;     // null: none is asked for
  limit::shared_secret share_secret{};                // with `redis`
  std::shared_ptr<const redis::target> redis;         // null: there is none
  bool asks_redis = false;                            // whether requests ask there
  std::shared_ptr<const auth::private_key> mint_key;  // null: no [auth.mint]
  std::string jwks_body;                              // the public half of the minting key
  std::string jwks_etag;
  std::shared_ptr<const geo::country_table> countries;  // null: no [geo]
  bool countries_stale = false;                         // the file is not what was read there
  std::vector<observe::certificate_end> certificates;   // listeners', and our own for upstreams
  std::vector<listener_plan> listeners;
  std::vector<upstream_plan> upstreams;
  std::vector<route_plan> route_plans;
  response_rules unrouted;  // for answers where no route matched
  // What the TOML files name and was read from disk; a change of one asks for another snapshot.
  std::vector<std::string> files;
};

struct made_snapshot {
  std::shared_ptr<const snapshot> state;
  config::diagnostics warnings;
};

// What a snapshot may take over from the one before it, and what the process shares.
struct snapshot_context {
  unsigned workers = 1;
  std::shared_ptr<const tls::ticket_keys> tickets;
  observe::label_names* labels = nullptr;
  const snapshot* previous = nullptr;
  const auth::snapshot* keys_before = nullptr;  // in force by now: those of `previous`, or newer
  std::span<const known_keys> known;            // that were fetched
  std::uint64_t generation = 1;                 // never used twice; of issuers that change
  wall_time now;                                // for warnings about dates
  file_notes* notes = nullptr;                  // what was read of secrets and key sets goes there
  const upstream::address_book* names = nullptr;  // of origins; null: nobody has looked
};

// Reads key files, key sets, certificates and secrets: blocks, never on a worker.
// All that is wrong is reported, not the first thing alone.
std::expected<made_snapshot, config::diagnostics> make_snapshot(config::configuration settings,
                                                                const snapshot_context& with);

// The same with the addresses that origins have by now, and `auth`, the keys that are in force by
// now; no file is read, and what the workers have cached stays good. Servers that stay keep what is
// known of them. Null: nothing has changed.
std::shared_ptr<const snapshot> with_addresses(const std::shared_ptr<const snapshot>& from,
                                               const upstream::address_book& names,
                                               const auth::snapshot& auth, unsigned workers);

}  // namespace rw::gateway
