// What is written down of an exchange: exactly one access line, and its counters.
#pragma once

#include "base/error.h"
#include "gateway/exchange.h"

namespace rw::gateway {

// Once per exchange, after everything else. An exchange that ended before there was a request (a
// client that connected and went away) leaves no line.
void record(exchange& x);

void record_handshake(connection& c, const result<>& outcome) noexcept;

}  // namespace rw::gateway
