// Requests that are calls of gRPC, which come by HTTP/2: their callers read what is wrong in
// grpc-status, whoever answers, and say how long they wait.
#pragma once

#include <optional>

#include "gateway/exchange.h"

namespace rw::gateway {

bool is_call(const exchange& x) noexcept;

// By when its caller will have given up; nothing where it does not say.
std::optional<mono_time> end_of_patience(const exchange& x) noexcept;

// Ends an answer that has begun, and cannot go on, by trailers that say what x.decision is. False:
// it is no call, or nothing can be said any more.
io::task<bool> end_call(exchange& x);

}  // namespace rw::gateway
