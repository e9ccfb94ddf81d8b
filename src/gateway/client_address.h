// Who the client is: the peer, or whom a trusted peer says it speaks for.
#pragma once

#include <string_view>

#include "config/cidr.h"
#include "gateway/exchange.h"
#include "io/task.h"
#include "net/proxy_header.h"

namespace rw::gateway {

// The peer is in proxy_protocol_from: it has to say first of all whom it connects for.
bool speaks_for_others(const connection& c) noexcept;

// Reads that, within timeouts.handshake, and makes it the connection's peer. False: nothing right
// has come, which is told and counted.
io::task<bool> read_proxy_header(connection& c);

// What send_proxy says of the request's client.
net::proxy_header announcement_of(const exchange& x);

// Sets client_ip, client_is_unix and from_trusted_peer. From a peer in `trusted` the right-most
// address in X-Forwarded-For that is not in it; else the peer. A hop that is no address ends the
// search: what stands left of it cannot be believed.
void find_client(exchange& x, const config::cidr_set& trusted) noexcept;

// Sets country, where a database says which: asked once per request, and not again on a connection
// whose client stays the same.
void find_country(exchange& x) noexcept;

// Sets trace, from the client's traceparent where there is one that is right and no other, whoever
// it is from, else a new one; either way what goes on has a parent-id of ours. And trace_begun.
void find_trace(exchange& x) noexcept;

// Sets request_id: the client's own when it is trusted and sane, else 32 random hex digits.
void find_request_id(exchange& x) noexcept;

}  // namespace rw::gateway
