// What becomes of a request: route, admission by address, authentication, admission by identity.
// Pure calls, in this order, each asked once (docs/life-of-a-request.md).
#pragma once

#include "gateway/exchange.h"

namespace rw::gateway {

// Of an exchange whose head is complete. Sets `decision` and everything it rests on; takes the head
// out of the stream. Afterwards `keep_alive` says whether the connection may go on.
void decide(exchange& x);

// Where `decision` is pending after decide(): waits for what it lacks, within bounds, and decides.
// Nobody else ever gets a coroutine for being decided about.
io::task<> settle(exchange& x);

// Of an exchange that has its route: who calls, whether they may, and the body's size. With what a
// wait has brought, where there was one.
verdict judge_caller(exchange& x, const auth::slow_answer* answer = nullptr);

// The rest of it, once nothing is wrong with who calls.
verdict judge_known(exchange& x);

// The last thing that may be wrong with an exchange whose limits have let it in.
verdict check_body(const exchange& x);

// The key in Redis of limit `i` of the exchange's, and what else counts who it is.
void write_shared_key(const exchange& x, std::size_t i, std::string& out);

// `octets` more of a request body that came in chunks, for the limits whose cost that is. False,
// and `refusing_limit` set, when one has no more to give.
bool charge_body(exchange& x, std::size_t octets) noexcept;

// The exchange's credentials, as its head has them.
auth::presented presented_by(const exchange& x) noexcept;

// Admitted, and to be answered by an origin rather than by us.
bool is_forwarded(const exchange& x) noexcept;

}  // namespace rw::gateway
