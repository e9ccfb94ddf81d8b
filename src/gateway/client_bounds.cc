#include "gateway/client_bounds.h"

#include <array>

#include "gateway/ban.h"
#include "gateway/connection.h"
#include "gateway/snapshot.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

enum index : std::uint32_t { connections, handshakes };

}  // namespace

std::shared_ptr<const limit::limiter> make_client_bounds(const config::listener& of,
                                                         unsigned workers,
                                                         const limit::limiter* before) {
  if (of.max_connections_per_client == 0 && of.handshakes_per_client.count == 0) return nullptr;
  std::array<config::limit, 2> rules;
  rules[connections].name = "connections";
  rules[connections].concurrent = of.max_connections_per_client;
  rules[handshakes].name = "handshakes";
  rules[handshakes].rate = of.handshakes_per_client;
  rules[handshakes].burst = of.handshakes_per_client.count;
  return std::make_shared<const limit::limiter>(rules, workers, before);
}

const char* bound_client(connection& c, const listener_plan& at) noexcept {
  if (is_banned(c, at)) {
    c.on.counters().add(observe::counter::banned_connections);
    return "banned";
  }
  if (at.per_client == nullptr || c.peer.is_unix) return nullptr;
  // Who speaks for many, or for itself: balancers' checks name nobody.
  if (at.trusted.contains(c.peer.ip) || at.proxies.contains(c.peer.ip)) return nullptr;
  const mono_time now = c.on.loop().now();
  const limit::caller who{.client = c.peer.ip};
  const limit::demand one = at.per_client->make_demand(connections, who);
  if (!at.per_client->admit(one, now).admitted) return "client_connections";
  c.bounded_by = at.per_client;
  c.place = one.who;
  const limit::demand secured = at.per_client->make_demand(handshakes, who);
  if (at.tls && !at.per_client->admit(secured, now).admitted) return "client_handshakes";
  return nullptr;
}

}  // namespace rw::gateway
