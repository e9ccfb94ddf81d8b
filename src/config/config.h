// The configuration as the program sees it: one object, validated, immutable after load(), shared
// by all threads. Field names are the contract's key names; units are last in the name or in the
// type. What is read or opened later keeps its place, for what is said when that fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/callers.h"
#include "config/secret_source.h"

namespace rw::config {

using std::chrono::milliseconds;

// `count` per `per`; count 0 means off.
struct rate {
  std::uint64_t count = 0;
  nanoseconds per{0};
};

struct server {
  unsigned workers = 0;  // 0: one per CPU the process may run on
  nanoseconds drain_timeout = seconds{30};
  std::uint64_t buffers_bytes = 16U << 20U;  // per worker
  std::string state = "/var/lib/ringward";
};

enum class log_level : std::uint8_t { error, warning, info, debug };
enum class log_format : std::uint8_t {
  json,
  combined,
  pretty,
  coloured /* the demo's; not in the contract */
};

// What becomes of a request whose audit record has no room.
enum class audit_full : std::uint8_t { reject, drop };

struct audit {
  std::string path;    // empty: off
  secret_source sign;  // an Ed25519 seed; none: checkpoints are not signed
  audit_full on_full = audit_full::reject;
  nanoseconds keep = std::chrono::hours{24 * 90};  // 0: for ever
};

struct log {
  log_level level = log_level::info;
  std::string access_path = "-";  // "-" stdout, "off", or a file
  log_format access_format = log_format::json;
  double access_sample = 1.0;
  config::audit audit;
  std::vector<std::string> redact = {"authorization", "x-api-key", "cookie",        "set-cookie",
                                     "dpop",          "?token",    "?access_token", "?api_key"};
};

struct admin {
  std::string socket = "/run/ringward/admin.sock";  // or "off"
  bool socket_written = false;                      // by somebody: not the default
  std::string address = "127.0.0.1:9180";           // or "off"
  secret_source credential;  // of its page and metrics; none: none, and the address is loopback
};

struct certificate {
  std::string chain;  // PEM file, leaf first
  place chain_at;
  secret_source key;  // PEM
};

// Whether a listener asks its clients for certificates, and whether they must show one.
enum class client_auth : std::uint8_t { off, optional, required };

struct listener_tls {
  place at;
  std::vector<certificate> certificates;
  unsigned min_version = 12;  // 12 or 13
  std::vector<std::string> groups = {"X25519MLKEM768", "X25519", "P-256", "P-384"};
  std::vector<std::string> ciphers;  // empty: the default list
  bool strict_sni = false;
  client_auth clients = client_auth::off;  // "client_auth"
  std::string client_ca;                   // path of a PEM bundle; empty only with `off`
  place client_ca_at;
  bool session_tickets = true;  // only with client_auth::off
  bool kernel_offload = true;   // where the kernel can; "auto"
};

struct listener_timeouts {
  nanoseconds handshake = seconds{10};
  nanoseconds head = seconds{10};
  nanoseconds body_gap = seconds{30};
  nanoseconds write_gap = seconds{30};
  nanoseconds keepalive = seconds{75};
  std::uint64_t least_rate_bytes = 0;  // per second over 10 s; 0: off
};

struct listener_limits {
  std::uint32_t head_bytes = 32U << 10U;
  std::uint32_t header_count = 100;
  std::uint32_t target_bytes = 8U << 10U;
  bool keep_encoded_slash = false;
  std::uint32_t h2_streams = 128;
  std::uint32_t h2_glitches = 100;
};

struct listener {
  std::string name;
  std::string address;  // "IP:port", "[IP6]:port" or "unix:/path"
  std::vector<std::string> protocols = {"h2", "http/1.1"};
  std::vector<std::string> client_address_from;  // CIDRs
  std::vector<std::string> proxy_protocol_from;  // CIDRs
  std::uint32_t max_connections = 65536;
  // By client.ip, IPv6 by its /64; direct peers in the two lists above are exempt.
  std::uint32_t max_connections_per_client = 0;  // 0: no bound
  rate handshakes_per_client;                    // count 0: none
  bool redirect_to_https = false;                // a plain one, which does nothing else
  listener_timeouts timeouts;
  listener_limits limits;
  bool has_tls = false;
  listener_tls tls;
};

enum class limit_key : std::uint8_t { client_ip, identity, route, country };

enum class limit_cost : std::uint8_t { request, request_bytes };  // of its body

inline constexpr std::size_t limit_headers_max = 4;

// Whether gateways on the same [redis] have one budget: asked about there each time, or borrowed
// from it in slices.
enum class limit_sharing : std::uint8_t { off, exact, leased };

struct limit {
  std::string name;
  std::vector<limit_key> by = {limit_key::client_ip};  // joined, with those of by_headers
  std::vector<std::string> by_headers;                 // lower case
  config::rate rate;                                   // none with `concurrent` alone
  std::uint64_t burst = 20;
  std::uint32_t concurrent = 0;  // requests under way at once; 0: no bound
  limit_cost cost = limit_cost::request;
  bool shadow = false;  // counts and says what it would refuse, and refuses nothing
  unsigned ipv6_prefix = 64;
  bool headers = true;
  limit_sharing shared = limit_sharing::off;  // only with a rate, of requests
  std::uint32_t capacity = 262144;
};

// What becomes of a decision that Redis would have to make and does not.
enum class redis_loss : std::uint8_t { local, reject };

struct redis {
  bool present = false;
  place at;
  std::string address = "127.0.0.1:6379";  // as an upstream's server has it, without a scheme
  place address_at;
  bool has_tls = false;       // written "rediss://host:port"
  std::string ca = "system";  // or a PEM file
  place ca_at;
  secret_source password;
  nanoseconds timeout = milliseconds{20};  // of one question, its way there and back included
  redis_loss on_loss = redis_loss::local;
};

struct upstream_server {
  std::string address;  // "host:port", "IP:port" or "unix:/path"
  place at;
  std::uint32_t weight = 1;
  bool backup = false;  // used when no other server can be
};

// How a server is chosen among those that can be used.
enum class balance_rule : std::uint8_t { p2c, round_robin, least_requests, hash };
enum class hash_key : std::uint8_t { client_ip, identity, header };

// What takes a server out and what brings it back.
struct upstream_health {
  std::string path;  // active checks by HTTP; empty: none
  bool tcp = false;  // or by connecting alone
  std::uint32_t expect_min = 200;
  std::uint32_t expect_max = 399;
  nanoseconds interval = seconds{5};
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
  nanoseconds slow_start = seconds{10};  // 0: none
  std::uint32_t eject_after = 5;         // failures in a row, in traffic; 0: never
  nanoseconds eject_for = seconds{30};

  bool is_active() const noexcept { return tcp || !path.empty(); }
};

struct upstream_tls {
  place at;
  bool verify = true;
  std::string ca = "system";  // or a PEM file
  place ca_at;
  std::string server_name;       // lower case; empty: the host of each server's address
  std::vector<std::string> pin;  // "sha256/BASE64"
  bool has_certificate = false;
  config::certificate certificate;
};

// What is sent ahead of everything else on a connection (net/proxy_header.h).
enum class proxy_protocol : std::uint8_t { off, v1, v2 };

enum class upstream_protocol : std::uint8_t { http11, h2 };

enum class host_rule : std::uint8_t { preserve, upstream, literal };

struct upstream {
  std::string name;
  std::vector<upstream_server> servers;
  upstream_protocol protocol = upstream_protocol::http11;
  host_rule host = host_rule::preserve;
  std::string host_literal;
  proxy_protocol send_proxy = proxy_protocol::off;
  nanoseconds connect_timeout = seconds{2};
  nanoseconds first_byte_timeout = seconds{60};
  nanoseconds gap_timeout = std::chrono::minutes{5};
  nanoseconds total_timeout{0};  // 0: off
  std::uint32_t idle_per_worker = 64;
  nanoseconds idle_timeout = seconds{60};
  std::uint64_t requests_per_connection = 0;   // 0: no bound
  std::uint32_t streams_per_connection = 100;  // h2: under way at once
  std::uint32_t max_requests_in_flight = 4096;
  std::uint32_t queue = 0;  // how many may wait for one of those, over all workers
  nanoseconds queue_timeout = seconds{1};
  std::uint32_t retry_attempts = 2;  // in all: 1 or 2
  bool has_tls = false;
  upstream_tls tls;
  double retry_budget = 0.2;  // retries, of requests
  balance_rule balance = balance_rule::p2c;
  config::hash_key hash_by = config::hash_key::client_ip;
  std::string hash_header;  // lower case
  upstream_health health;
  std::string unreachable_detail;  // for clients, when no server takes a connection; or empty
};

enum class route_action : std::uint8_t { proxy, mint, jwks, redirect, respond };

// One way to prove who is calling; `issuer` is an index into configuration::jwt for kind jwt.
struct credential {
  enum class kind : std::uint8_t { api_keys, jwt, mtls };
  kind how = kind::api_keys;
  std::uint32_t issuer = 0;
};

struct header_value {
  std::string name;  // lower case
  std::string text;  // literal, unless `from` names a secret
  secret_source from;
};

struct cors {  // what pages of other origins may do (WHATWG Fetch, "HTTP extensions")
  std::vector<std::string> origins;  // serialised, sorted; "*" alone: any; empty: off
  std::vector<std::string> methods = {"GET", "POST"};
  std::vector<std::string> headers = {"authorization", "content-type", "x-api-key"};  // lower case
  bool credentials = false;
  nanoseconds max_age = std::chrono::hours{1};
};

struct geo {             // where clients are, by their addresses
  std::string database;  // path of a MaxMind .mmdb
  place database_at;
};

struct route {
  std::string name;
  std::vector<std::string> hosts = {"*"};  // lower case, no port; "*" or "*.example" at the front
  std::string path_prefix;                 // normalised; one of the two
  std::string path;                        // exact
  std::vector<std::string> methods;        // empty: all
  std::vector<std::string> countries;      // upper case; those let in; empty: all, and the unknown
  route_action action = route_action::proxy;
  std::uint32_t upstream = 0;  // index into configuration::upstreams, for proxy
  std::string redirect;        // template with {host} {path} {query}
  unsigned status = 0;         // redirect and respond
  std::string type;            // respond: Content-Type
  std::string body;            // respond
  bool strip_prefix = false;
  std::vector<credential> auth;       // any of these; empty: open to everyone
  std::vector<credential> auth_all;   // and every one of these
  bool end_at_expiry = false;         // what is under way ends when its token's exp passes
  std::vector<std::uint32_t> limits;  // indices into configuration::limits
  std::uint64_t max_body_bytes = 100ULL << 20U;
  std::string forward_identity = "x-auth-identity";  // lower case
  bool forward_credentials = false;
  std::vector<header_value> request_set;
  std::vector<std::string> request_remove;  // lower case
  std::vector<header_value> response_set;
  std::vector<std::string> response_remove = {"server", "x-powered-by"};
  bool security_headers = true;
  config::cors cors;
  std::vector<std::string> upgrade;  // protocols a connection may switch to, lower case
  nanoseconds heartbeat{0};          // of silence in a text/event-stream; 0: off
};

struct ban_weights {               // of what, towards a ban; 0: nothing
  std::uint32_t unauthorized = 1;  // 401, but for
  std::uint32_t expired = 0;       // that of a token whose time is over
  std::uint32_t forbidden = 1;     // 403
  std::uint32_t malformed = 2;     // 400
  std::uint32_t handshake = 1;     // TLS handshakes that fail
};

struct ban {
  bool present = false;         // without the table nobody is banned
  std::uint32_t failures = 10;  // their weight
  nanoseconds within = std::chrono::minutes{1};
  nanoseconds lasts = std::chrono::minutes{10};  // "for"; twice as long at each repeat
  ban_weights weights;
  std::vector<std::string> exempt = {"127.0.0.0/8", "::1/128"};  // CIDRs
};

struct configuration {
  config::server server;
  config::log log;
  config::admin admin;
  std::vector<listener> listeners;
  bool has_api_keys = false;
  config::api_keys api_keys;
  std::vector<jwt_issuer> jwt;
  config::mint mint;
  bool has_geo = false;
  config::geo geo;
  config::redis redis;
  std::vector<limit> limits;
  config::ban ban;
  std::vector<upstream> upstreams;
  std::vector<route> routes;
  std::vector<std::pair<std::string, std::string>> security_headers;  // lower-case name, value
  std::vector<std::string> files;  // every TOML file read, in order
};

}  // namespace rw::config
