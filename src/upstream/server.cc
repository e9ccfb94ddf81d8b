#include "upstream/server.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>

#include "config/address.h"
#include "net/address.h"

namespace rw::upstream {

std::vector<server> servers_at(const config::upstream_server& from, const addrinfo* found) {
  std::vector<server> made;
  for (; found != nullptr && made.size() < addresses_per_name_max; found = found->ai_next) {
    if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
    server one{from.address, from.address, {}, found->ai_addrlen, from.weight, from.backup};
    std::memcpy(&one.address, found->ai_addr, found->ai_addrlen);
    const net::endpoint_text ip(net::to_endpoint(one.address).ip);
    one.name = fmt::format("{} ({})", from.address, ip.view());
    // A hosts file may have it twice.
    const bool known = std::any_of(made.begin(), made.end(),
                                   [&](const server& other) { return other.name == one.name; });
    if (!known) made.push_back(std::move(one));
  }
  return made;
}

result<std::vector<server>> resolve(const config::upstream_server& from) {
  const result<config::address> parsed = config::parse_address(from.address);
  if (!parsed) return failure(parsed.error());
  if (parsed->what != config::address::kind::host_name) {
    const bool is_unix = parsed->what == config::address::kind::unix_path;
    return std::vector{server{from.address, is_unix ? "localhost" : from.address, parsed->socket,
                              parsed->length, from.weight, from.backup}};
  }

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(parsed->port);
  std::vector<server> made;
  if (::getaddrinfo(parsed->host.c_str(), port.c_str(), &hints, &found) == 0) {
    made = servers_at(from, found);
    ::freeaddrinfo(found);
  }
  if (made.empty()) {
    return failure({fault::unreachable, origin::configuration, true, 0, "no such host name"});
  }
  return made;
}

}  // namespace rw::upstream
