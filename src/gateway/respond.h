// The only place where an error becomes a status, and the answers that are ours.
#pragma once

#include "gateway/exchange.h"

namespace rw::gateway {

enum class upstream_stage : std::uint8_t { connect, request, first_byte, body };

// What a failure on the way to the origin is to the client. 499: the client has gone, nobody is
// there to be told.
verdict refusal_of_upstream(const exchange& x, const error& why, upstream_stage at) noexcept;

// What a failure of the request's body is: slow, malformed, too large, or the client gone.
verdict refusal_of_body(const exchange& x) noexcept;

// What a client is that has gone, or that missed `missed` (write_gap, least_rate) in taking what it
// was sent.
verdict refusal_of_client(const error& why, observe::deadline missed) noexcept;

// Answers by ourselves: a refusal when `decision` is one (application/problem+json, RFC 9457), else
// what the route's action says. Says nothing to an attacker but the status.
io::task<> respond(exchange& x);

// Nobody is there any more, or what was begun cannot be ended well: the connection goes, without a
// word that could be taken for a proper end.
void give_up_client(exchange& x) noexcept;

// What `respond`, `redirect`, `mint` and `jwks` answer (local_answer.cc). Views live as long as the
// exchange and `store`.
struct answer {
  unsigned status = 200;
  std::string_view type;
  std::string_view body;
  std::string_view location;
  std::string_view cache_control;
  std::string_view etag;
};
answer local_answer(exchange& x, std::string& store);
// Where verdict::to_https leads: the port is that of the first listener with TLS that has one.
std::string https_location(const exchange& x);
// application/problem+json (RFC 9457) with the status and its phrase, the operator's own words when
// there are some (3.1.4); a 401 has "error":"unauthorized" as well; and no more.
answer problem(unsigned status, std::string& store, std::string_view detail = {});

}  // namespace rw::gateway
