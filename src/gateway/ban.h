// Clients that are shut out: who is, what counts towards it, and whom it never hits.
#pragma once

#include <string>

#include "config/cidr.h"
#include "gateway/snapshot.h"

namespace rw::gateway {

struct connection;
struct exchange;

// "192.0.2.1" or "2001:db8:1:2::/64", of limit::banned_network().
std::string text_of_banned(const config::ip16& client);

ban_plan make_ban_plan(const config::ban& from);

// Of a connection whose peer is known and of which nothing has been read. Peers in
// client_address_from speak for others, who are asked about once a head has named them.
bool is_banned(const connection& c, const listener_plan& at) noexcept;
// Of an exchange whose client is known.
bool is_banned(const exchange& x) noexcept;

// Of an exchange that is about to be refused by the gate itself, once: what it counts for. What an
// origin answers, and who was ended in the middle of an answer, counts for nothing.
void note_refusal(exchange& x);
// Of a connection whose TLS handshake has failed. `reason`: a literal.
void note_handshake(connection& c, const char* reason);

}  // namespace rw::gateway
