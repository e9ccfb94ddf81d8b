// Which server gets a request, and what its answer, or the lack of one, says of that server.
#pragma once

#include "gateway/epoch.h"
#include "gateway/exchange.h"

namespace rw::gateway {

// May be sent to another server when this one has failed: RFC 9110 9.2.2, and while every byte of
// it is still here.
bool is_repeatable(const exchange& x) noexcept;

// Every byte of it that was sent to an origin is still here: it may be sent again to one that has
// begun nothing.
bool is_held(const exchange& x) noexcept;

// An origin of HTTP/2 has said that it did not begin on it (RFC 9113 8.7). Of HTTP/1.1 none can,
// and what the kernel says of a connection is no such word.
bool was_not_begun(const exchange& x, const error& why) noexcept;

// Leaves the server in `x`, entered; let_go() leaves it. False: none can be used.
bool choose_server(exchange& x, upstream_use& use, const upstream::server_pool* tried) noexcept;

// Exactly one of these after choose_server(): a head came, or `why` is the reason that none did and
// `x.decision` what that is to the client.
void judge_head(exchange& x) noexcept;
void judge_failure(exchange& x, const error& why) noexcept;
// After judge_head(), when the body has ended.
void judge_body(exchange& x) noexcept;

}  // namespace rw::gateway
