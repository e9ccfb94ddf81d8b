#include "gateway/snapshot_redis.h"

#include <algorithm>

#include "net/address.h"

namespace rw::gateway {
namespace {

std::vector<config::address> addresses_of(const config::redis& from,
                                          const upstream::address_book* names) {
  const auto parsed = config::parse_address(from.address);
  if (!parsed) return {};
  if (parsed->what != config::address::kind::host_name) return {*parsed};
  std::vector<config::address> found;
  if (names == nullptr) return found;
  const auto entry = names->find(parsed->host);
  if (entry == names->end()) return found;
  for (const config::ip16& ip : entry->second) {
    found.push_back(net::to_socket_address(ip, parsed->port));
  }
  return found;
}

// Contexts are taken over where nothing that decides has changed: a connection stays.
std::shared_ptr<const tls::client_context> make_tls(const config::redis& from,
                                                    const snapshot_context& with,
                                                    file_reader& files) {
  tls::client_options options;
  options.trusted =
      files.read_authorities(from.ca, {.key = "redis.ca", .at = from.ca_at}, with.now);
  if (!options.trusted) return nullptr;
  if (with.previous != nullptr && with.previous->redis && with.previous->redis->tls) {
    const auto& before = with.previous->redis->tls;
    if (before->fingerprint() == tls::client_context::fingerprint_of(options)) return before;
  }
  auto made = tls::client_context::create(std::move(options), with.workers + 1);
  if (made) return *made;
  files.report({.key = "redis", .at = from.at}, made.error().text);
  return nullptr;
}

std::string tls_name_of(const config::redis& from) {
  const auto parsed = config::parse_address(from.address);
  if (!parsed || parsed->what == config::address::kind::unix_path) return {};
  if (parsed->what == config::address::kind::host_name) return parsed->host;
  return std::string(net::endpoint_text(net::to_endpoint(parsed->socket).ip).view());
}

}  // namespace

void make_redis(snapshot& s, const snapshot_context& with, file_reader& files) {
  const config::redis& from = s.settings.redis;
  if (!from.present) return;
  s.shares = std::ranges::any_of(s.settings.limits, [](const config::limit& one) {
    return one.shared != config::limit_sharing::off;
  });
  s.asks_redis =
      s.shares || std::ranges::any_of(s.settings.jwt, &config::jwt_issuer::replay_by_jti);
  auto made = std::make_shared<redis::target>();
  made->name = from.address;
  made->timeout = from.timeout;
  made->addresses = addresses_of(from, with.names);
  if (from.has_tls) {
    made->tls = make_tls(from, with, files);
    made->tls_name = tls_name_of(from);
  }
  if (from.password.from != config::secret_source::kind::none) {
    made->password = files.read_password(from.password, "redis.password");
  }
  s.share_secret =
      limit::make_shared_secret(made->password ? made->password->view() : std::string_view{});
  s.redis = std::move(made);
}

std::shared_ptr<const redis::target> redis_with_addresses(const snapshot& from,
                                                          const upstream::address_book& names) {
  auto made = std::make_shared<redis::target>(*from.redis);
  made->addresses = addresses_of(from.settings.redis, &names);
  if (made->addresses.empty() || redis::is_same(*made, *from.redis)) return from.redis;
  return made;
}

}  // namespace rw::gateway
