#include "upstream/server.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/address.h"
#include "net/address.h"

namespace rw::upstream {

result<std::vector<server>> servers_of(const config::upstream_server& from,
                                       const address_book& known) {
  const result<config::address> parsed = config::parse_address(from.address);
  if (!parsed) return failure(parsed.error());
  if (parsed->what != config::address::kind::host_name) {
    const bool is_unix = parsed->what == config::address::kind::unix_path;
    return std::vector{server{from.address, is_unix ? "localhost" : from.address, parsed->socket,
                              parsed->length, from.weight, from.backup}};
  }
  std::vector<server> made;
  const auto entry = known.find(parsed->host);
  if (entry == known.end()) return made;
  for (const config::ip16& ip : entry->second) {
    const config::address at = net::to_socket_address(ip, parsed->port);
    made.push_back({fmt::format("{} ({})", from.address, net::endpoint_text(ip).view()),
                    from.address, at.socket, at.length, from.weight, from.backup});
  }
  return made;
}

namespace {

void add_host(const std::string& address, std::vector<std::string>& to) {
  auto parsed = config::parse_address(address);
  if (parsed && parsed->what == config::address::kind::host_name) {
    to.push_back(std::move(parsed->host));
  }
}

}  // namespace

std::vector<std::string> host_names(const config::configuration& settings) {
  std::vector<std::string> found;
  for (const config::upstream& one : settings.upstreams) {
    for (const config::upstream_server& server : one.servers) add_host(server.address, found);
  }
  if (settings.redis.present) add_host(settings.redis.address, found);
  std::ranges::sort(found);
  const auto doubled = std::ranges::unique(found);
  found.erase(doubled.begin(), doubled.end());
  return found;
}

}  // namespace rw::upstream
