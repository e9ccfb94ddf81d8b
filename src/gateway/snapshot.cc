#include "gateway/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/private_key.h"
#include "base/assert.h"
#include "config/address.h"
#include "gateway/ban.h"
#include "gateway/client_bounds.h"
#include "gateway/exchange.h"
#include "gateway/snapshot_files.h"
#include "gateway/snapshot_redis.h"

namespace rw::gateway {
namespace {

// Its end, once for all places of one listener or upstream that name the chain.
void note_end(snapshot& s, std::string_view role, const std::string& name, const std::string& chain,
              const tls::certificate& of) {
  const bool known = std::ranges::any_of(s.certificates, [&](const observe::certificate_end& one) {
    return one.role == role && one.name == name && one.chain == chain;
  });
  if (!known) s.certificates.push_back({role, name, chain, of.not_after()});
}

std::shared_ptr<const tls::server_context> make_tls(snapshot& s, const config::listener& from,
                                                    const snapshot_context& with,
                                                    file_reader& files) {
  std::vector<std::shared_ptr<const tls::certificate>> certificates;
  for (const config::certificate& one : from.tls.certificates) {
    auto made = files.read_certificate(one, with.now, "listener.tls.certificates");
    if (!made) continue;
    note_end(s, "listener", from.name, one.chain, *made);
    certificates.push_back(std::move(made));
  }
  if (certificates.size() != from.tls.certificates.size()) return nullptr;

  tls::server_options options;
  options.listener = from.name;
  options.min_version =
      from.tls.min_version == 13 ? tls::protocol_version::tls13 : tls::protocol_version::tls12;
  options.groups = from.tls.groups;
  options.ciphers = from.tls.ciphers;
  options.protocols = from.protocols;
  options.strict_sni = from.tls.strict_sni;
  options.session_tickets = from.tls.session_tickets;
  options.kernel_offload = from.tls.kernel_offload;
  if (from.tls.clients != config::client_auth::off) {
    const subject about{.key = "listener.tls.client_ca", .at = from.tls.client_ca_at};
    options.client_ca = files.read_authorities(from.tls.client_ca, about, with.now);
    if (!options.client_ca) return nullptr;
    options.client_required = from.tls.clients == config::client_auth::required;
    options.threads = with.workers;
  }
  auto made =
      tls::server_context::create(std::move(options), std::move(certificates), with.tickets);
  if (!made) {
    files.report({.key = "listener.tls", .at = from.tls.at}, made.error().text);
    return nullptr;
  }
  return *made;
}

void make_listeners(snapshot& s, const snapshot_context& with, file_reader& files) {
  for (const config::listener& one : s.settings.listeners) {
    listener_plan plan;
    plan.settings = &one;
    if (one.has_tls) plan.tls = make_tls(s, one, with, files);
    auto trusted = config::cidr_set::parse(one.client_address_from);
    if (trusted) plan.trusted = std::move(*trusted);
    auto proxies = config::cidr_set::parse(one.proxy_protocol_from);
    if (proxies) plan.proxies = std::move(*proxies);
    const std::size_t index = s.listeners.size();
    const listener_plan* before = nullptr;
    if (with.previous != nullptr && index < with.previous->listeners.size()) {
      before = &with.previous->listeners[index];
    }
    plan.open = before != nullptr ? before->open : std::make_shared<std::atomic<std::uint32_t>>(0);
    plan.per_client = make_client_bounds(one, with.workers,
                                         before != nullptr ? before->per_client.get() : nullptr);
    s.listeners.push_back(std::move(plan));
  }
}

// For each worker and for the control thread, which comes last and makes the checks. Unchanged ones
// are taken over, with what they cost to make and with their sessions.
std::shared_ptr<const tls::client_context> make_client_tls(snapshot& s,
                                                           const config::upstream& from,
                                                           const snapshot_context& with,
                                                           file_reader& files) {
  tls::client_options options;
  options.verify = from.tls.verify;
  if (from.protocol == config::upstream_protocol::h2) options.protocol = "h2";
  for (const std::string& one : from.tls.pin) {
    if (const auto pin = tls::parse_pin(one)) options.pins.push_back(*pin);
  }
  bool complete = true;
  if (from.tls.verify) {
    const subject about{.key = "upstream.tls.ca", .at = from.tls.ca_at};
    options.trusted = files.read_authorities(from.tls.ca, about, with.now);
    complete = options.trusted != nullptr;
  } else {
    files.report(
        {.key = "upstream.tls.verify", .at = from.tls.at},
        fmt::format("upstream {} is not verified: whoever is on the way to it can pose as it{}",
                    from.name, from.tls.pin.empty() ? "" : ", but for the pinned key"),
        config::diagnostic::level::warning);
  }
  if (from.tls.has_certificate) {
    options.own =
        files.read_certificate(from.tls.certificate, with.now, "upstream.tls.certificate");
    complete = complete && options.own != nullptr;
    if (options.own) {
      note_end(s, "upstream", from.name, from.tls.certificate.chain, *options.own);
    }
  }
  if (!complete) return nullptr;
  if (with.previous != nullptr) {
    const auto same = tls::client_context::fingerprint_of(options);
    for (const upstream_plan& before : with.previous->upstreams) {
      if (before.tls && before.tls->fingerprint() == same) return before.tls;
    }
  }
  auto made = tls::client_context::create(std::move(options), with.workers + 1);
  if (!made) {
    files.report({.key = "upstream.tls", .at = from.tls.at}, made.error().text);
    return nullptr;
  }
  return *made;
}

// The host of an address, as a certificate names it.
std::string host_of(const config::upstream_server& server) {
  const auto parsed = config::parse_address(server.address);
  if (!parsed || parsed->what == config::address::kind::unix_path) return {};
  if (parsed->what == config::address::kind::host_name) return parsed->host;
  return std::string(net::endpoint_text(net::to_endpoint(parsed->socket).ip).view());
}

void add_servers(upstream_plan& plan, const config::upstream_server& from,
                 std::vector<upstream::server> found, const upstream_plan* before) {
  const std::string& named = plan.settings->tls.server_name;
  for (upstream::server& one : found) {
    one.tls_name = named.empty() ? host_of(from) : named;
    if (before != nullptr) {
      for (const upstream::server& was : before->servers) {
        if (was.name == one.name) one.failures = was.failures;
      }
    }
    plan.servers.push_back(std::move(one));
  }
}

// What was known before of the servers that are still there; nothing of those that are new.
upstream::cluster take_over_health(const upstream_plan& plan, const upstream_plan* before,
                                   unsigned workers) {
  std::vector<std::shared_ptr<upstream::server_health>> list;
  for (const upstream::server& one : plan.servers) {
    std::shared_ptr<upstream::server_health> known;
    for (std::size_t i = 0; before != nullptr && i < before->servers.size(); ++i) {
      if (before->servers[i].name == one.name) known = before->health.share(i);
    }
    if (!known) known = std::make_shared<upstream::server_health>(workers);
    list.push_back(std::move(known));
  }
  auto common = before != nullptr ? before->health.share_common() : nullptr;
  if (!common) common = std::make_shared<upstream::group>();
  return {std::move(common), std::move(list), plan.settings->health};
}

void make_upstreams(snapshot& s, const snapshot_context& with, file_reader& files) {
  static const upstream::address_book nothing;
  for (const config::upstream& one : s.settings.upstreams) {
    upstream_plan plan;
    plan.settings = &one;
    plan.index = static_cast<std::uint32_t>(s.upstreams.size());
    plan.label = with.labels->upstreams.id_of(one.name);
    if (one.has_tls) plan.tls = make_client_tls(s, one, with, files);
    const upstream_plan* before = nullptr;
    if (with.previous != nullptr) {
      for (const upstream_plan& was : with.previous->upstreams) {
        if (was.settings->name == one.name) before = &was;
      }
    }
    for (const config::upstream_server& server : one.servers) {
      auto made = upstream::servers_of(server, with.names != nullptr ? *with.names : nothing);
      const subject about{.key = "upstream.servers.address", .at = server.at};
      if (!made) {
        files.report(about, fmt::format("{}: {}", server.address, made.error().text));
      } else if (made->empty()) {
        plan.without_address.push_back(server.address);
        if (with.names == nullptr) continue;
        files.report(about,
                     fmt::format("{} has no address yet; it is looked up again and again, and gets "
                                 "requests once it has one",
                                 server.address),
                     config::diagnostic::level::warning);
      } else {
        add_servers(plan, server, std::move(*made), before);
      }
    }
    plan.health = take_over_health(plan, before, with.workers);
    s.upstreams.push_back(std::move(plan));
  }
}

// As for upstreams, with nobody left unverified.
std::shared_ptr<const tls::client_context> make_key_tls(const config::jwt_issuer& from,
                                                        const snapshot_context& with,
                                                        file_reader& files) {
  tls::client_options options;
  for (const std::string& one : from.jwks_remote.pin) {
    if (const auto pin = tls::parse_pin(one)) options.pins.push_back(*pin);
  }
  const std::string key = fmt::format("auth.jwt.{}.jwks.ca", from.name);
  const subject about{.key = key, .at = from.jwks_remote.ca_at};
  options.trusted = files.read_authorities(from.jwks_remote.ca, about, with.now);
  if (!options.trusted) return nullptr;
  if (with.previous != nullptr) {
    const auto same = tls::client_context::fingerprint_of(options);
    for (const key_plan& before : with.previous->key_plans) {
      if (before.tls && before.tls->fingerprint() == same) return before.tls;
    }
  }
  auto made = tls::client_context::create(std::move(options), 1);
  if (made) return *made;
  files.report(about, made.error().text);
  return nullptr;
}

void make_remote_keys(snapshot& s, std::size_t issuer, const snapshot_context& with,
                      file_reader& files) {
  const config::jwt_issuer& from = s.settings.jwt[issuer];
  key_plan& plan = s.key_plans[issuer];
  s.auth.issuers[issuer].remote = true;
  plan.tls = make_key_tls(from, with, files);
  for (const known_keys& one : with.known) {
    if (plan.source || !is_same_source(one, from)) continue;
    plan.source = one.source;
    s.auth.issuers[issuer].keys = one.keys;
  }
  if (!plan.source) plan.source = std::make_shared<key_source>();
}

void make_auth(snapshot& s, const snapshot_context& with, file_reader& files) {
  s.auth = auth::make_snapshot(s.settings);
  // What was used once stays used.
  if (s.auth.used && with.previous != nullptr && with.previous->auth.used) {
    s.auth.used = with.previous->auth.used;
  }
  std::shared_ptr<const auth::key_set> minted;
  if (s.settings.mint.present) {
    s.mint_key = files.read_mint_key(s.settings.mint);
    if (s.mint_key) {
      s.jwks_body = s.mint_key->public_set();
      s.jwks_etag = fmt::format("\"{}\"", s.mint_key->kid());
      config::diagnostics ignored;
      auto keys = auth::load_key_set(s.jwks_body, "auth.mint", ignored);
      if (keys) minted = std::make_shared<const auth::key_set>(std::move(*keys));
    }
  }
  if (s.settings.has_api_keys) {
    s.auth.keys = files.read_keys(s.settings.api_keys, s.mint_key.get());
  }
  s.key_plans.resize(s.settings.jwt.size());
  for (std::size_t i = 0; i < s.settings.jwt.size(); ++i) {
    const config::jwt_issuer& from = s.settings.jwt[i];
    if (from.has_remote_keys()) {
      make_remote_keys(s, i, with, files);
      continue;
    }
    s.auth.issuers[i].keys = from.jwks_mint ? minted : files.read_key_set(from);
  }
  auth::number_issuers(s.auth, with.keys_before, with.generation);
}

void make_route(snapshot& s, const config::route& from, const resolved_headers& security,
                const std::vector<std::string>& identity_names, file_reader& files) {
  route_plan plan;
  plan.settings = &from;
  plan.index = static_cast<std::uint32_t>(s.route_plans.size());
  for (std::uint32_t index : from.limits) {
    (s.limits->needs_identity(index) ? plan.identity_limits : plan.early_limits).push_back(index);
  }
  const bool proxied = from.action == config::route_action::proxy;
  resolved_headers set = files.read_headers(from.request_set, request_set_key);
  plan.request = make_request_rules(from, proxied ? &s.settings.upstreams[from.upstream] : nullptr,
                                    set, identity_names);
  wipe_values(set);
  set = files.read_headers(from.response_set, response_set_key);
  name_set not_the_origins;
  plan.cors = make_cors_rules(from, set, not_the_origins);
  plan.response = make_response_rules(from, set, security, std::move(not_the_origins));
  wipe_values(set);
  for (const auto* list : {&from.auth, &from.auth_all}) {
    for (const config::credential& one : *list) {
      if (one.how != config::credential::kind::jwt) continue;
      for (const std::string& scope : s.settings.jwt[one.issuer].scopes)
        plan.scopes.push_back(scope);
    }
  }
  for (const std::string& code : from.countries) plan.countries.set(country::of(code).index());
  RW_ASSERT(from.limits.size() <= limits_per_route_max);
  s.route_plans.push_back(std::move(plan));
}

}  // namespace

std::expected<made_snapshot, config::diagnostics> make_snapshot(config::configuration settings,
                                                                const snapshot_context& with) {
  auto made = std::make_shared<snapshot>();
  snapshot& s = *made;
  config::diagnostics problems;
  s.settings = std::move(settings);
  file_reader files(s.settings.files, problems, s.files, with.notes);

  make_listeners(s, with, files);
  make_upstreams(s, with, files);
  make_auth(s, with, files);
  if (s.settings.has_geo) {
    const bool same_path =
        with.previous != nullptr && with.previous->settings.geo.database == s.settings.geo.database;
    countries_read read =
        files.read_countries(s.settings.geo, same_path ? with.previous->countries : nullptr);
    s.countries = std::move(read.table);
    s.countries_stale = read.is_stale;
  }
  if (s.settings.ban.present) s.ban = make_ban_plan(s.settings.ban);
  make_redis(s, with, files);
  if (s.settings.admin.credential.from != config::secret_source::kind::none) {
    s.admin_credential = files.read_password(s.settings.admin.credential, "admin.credential");
  }
  const limit::limiter* before = with.previous != nullptr ? &*with.previous->limits : nullptr;
  s.limits.emplace(s.settings.limits, with.workers, before);
  std::vector<std::string> identity_names;
  for (const config::route& one : s.settings.routes) {
    if (!one.forward_identity.empty()) identity_names.push_back(one.forward_identity);
  }
  std::sort(identity_names.begin(), identity_names.end());
  identity_names.erase(std::unique(identity_names.begin(), identity_names.end()),
                       identity_names.end());
  for (const config::limit& one : s.settings.limits) {
    s.limit_labels.push_back(with.labels->limits.id_of(one.name));
  }
  for (const config::route& one : s.settings.routes) {
    make_route(s, one, s.settings.security_headers, identity_names, files);
    s.route_plans.back().label = with.labels->routes.id_of(one.name);
  }
  s.unrouted = make_default_response_rules(s.settings.security_headers);
  s.routes.emplace(s.settings.routes);

  if (config::has_error(problems)) return std::unexpected(std::move(problems));
  return made_snapshot{std::move(made), std::move(problems)};
}

std::shared_ptr<const snapshot> with_addresses(const std::shared_ptr<const snapshot>& from,
                                               const upstream::address_book& names,
                                               const auth::snapshot& auth, unsigned workers) {
  auto made = std::make_shared<snapshot>(*from);
  made->auth = auth;
  made->base = from->base ? from->base : from;
  bool same = true;
  for (std::size_t i = 0; i < from->upstreams.size(); ++i) {
    const upstream_plan& before = from->upstreams[i];
    upstream_plan& plan = made->upstreams[i];
    plan.servers.clear();
    plan.without_address.clear();
    for (const config::upstream_server& server : plan.settings->servers) {
      auto found = upstream::servers_of(server, names);
      if (!found || found->empty()) {
        plan.without_address.push_back(server.address);
      } else {
        add_servers(plan, server, std::move(*found), &before);
      }
    }
    const auto is_same = [](const upstream::server& a, const upstream::server& b) {
      return a.name == b.name;
    };
    if (std::ranges::equal(plan.servers, before.servers, is_same)) {
      plan.health = before.health;
      continue;
    }
    same = false;
    plan.health = take_over_health(plan, &before, workers);
  }
  if (from->redis) made->redis = redis_with_addresses(*from, names);
  return same && made->redis == from->redis ? nullptr : made;
}

}  // namespace rw::gateway
