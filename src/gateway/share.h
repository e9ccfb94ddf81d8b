// Limits that several gateways share: what is asked of Redis for a request that the limiter of this
// one has let in.
#pragma once

#include "gateway/exchange.h"
#include "redis/client.h"

namespace rw::gateway {

// After the limits from `from` on have let it in here: whether they have anywhere else. Pending
// where Redis has to be asked: wait_for_shares(). Refused with 503 where it cannot be and
// redis.on_loss says so; then everything that was taken has been given back.
verdict share(exchange& x, std::size_t from);

// Once after share() was pending, on_loss included. At most redis.timeout.
io::task<> wait_for_shares(exchange& x);

// Gives back what the first `count` limits have taken anywhere, for a request that another one has
// refused.
void give_back(exchange& x, std::size_t count);

// What workers ask.
redis::script make_share_script();

}  // namespace rw::gateway
