// What is written down of an exchange: exactly one access line, and its counters.
#pragma once

#include <string_view>

#include "base/error.h"
#include "gateway/exchange.h"

namespace rw::gateway {

// "TLSv1.3", once its handshake is over; empty in the clear. A literal.
std::string_view tls_name(const connection& c) noexcept;

// Once per exchange, after its answer; what is still read and dropped of a refused body is not in
// it. An exchange that ended before there was a request (a client that connected and went away)
// leaves no line.
void record(exchange& x);

// A peer that had to say whom it connects for, and did not: a line of its own, too.
void record_no_proxy_header(connection& c, const char* reason, mono_time began);

// A handshake that failed has a line of its own, with status 0 and a reason, unless the client went
// before it had said a word: probes do.
void record_handshake(connection& c, const result<>& outcome, mono_time began);

// A TLS handshake with a server, done or failed: its counters, and a mark for the log.
void record_upstream_handshake(exchange& x, const result<>& outcome);

}  // namespace rw::gateway
