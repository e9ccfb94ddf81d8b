#include "upstream/server.h"

#include <netdb.h>

#include <cstring>

#include "config/address.h"

namespace rw::upstream {

result<server> resolve(const config::upstream_server& from) {
  const result<config::address> parsed = config::parse_address(from.address);
  if (!parsed) return failure(parsed.error());
  server made{from.address, from.address, parsed->socket, parsed->length, from.weight};
  if (parsed->what == config::address::kind::unix_path) made.host = "localhost";
  if (parsed->what != config::address::kind::host_name) return made;

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(parsed->port);
  if (::getaddrinfo(parsed->host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    return failure({fault::unreachable, origin::configuration, true, 0, "no such host name"});
  }
  std::memcpy(&made.address, found->ai_addr, found->ai_addrlen);
  made.address_bytes = found->ai_addrlen;
  ::freeaddrinfo(found);
  return made;
}

}  // namespace rw::upstream
