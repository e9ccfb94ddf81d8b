// Tokens that count once (replay = "jti"), over all gateways on one Redis: asked there once the
// table of this gateway has found a token new.
#pragma once

#include "gateway/exchange.h"

namespace rw::gateway {

// Whether such a token is to be refused before it is used up here: Redis is not to be asked, and
// redis.on_loss says that nobody is let in then.
bool cannot_ask_once(const exchange& x) noexcept;

// Of an exchange whose caller is allowed: pending where Redis has to be asked, wait_for_once().
verdict ask_once(exchange& x) noexcept;

// Once after ask_once() was pending, on_loss included, and the rest of the decision. At most
// redis.timeout.
io::task<> wait_for_once(exchange& x);

}  // namespace rw::gateway
