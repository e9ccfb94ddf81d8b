// What one client may have of a listener at once and in a time: connections, and TLS handshakes.
#pragma once

#include <memory>

#include "config/config.h"
#include "limit/limiter.h"

namespace rw::gateway {

struct connection;
struct listener_plan;

// Two limits by client.ip; null when the listener has neither. Those who are there stay counted
// over a reload: `before` is the bounds of the same listener until then.
std::shared_ptr<const limit::limiter> make_client_bounds(const config::listener& of,
                                                         unsigned workers,
                                                         const limit::limiter* before);

// Asked once per connection, before anything is read of it. Takes the client's place, which the
// connection's end gives up. Null, or why it is to be closed, as a reason to count: its client is
// banned, or has too much of something.
const char* bound_client(connection& c, const listener_plan& at) noexcept;

}  // namespace rw::gateway
