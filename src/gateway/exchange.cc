#include "gateway/exchange.h"

#include <utility>

#include "gateway/snapshot.h"

namespace rw::gateway {

void exchange::leave_limits() noexcept {
  for (std::size_t i = 0; i < limit_count; ++i) {
    if (std::exchange(taken[i], false)) state->limits->leave(limits[i]);
  }
}

// Field by field: the heads and the arrays are large, and are only read where they were written.
void exchange::reset() noexcept {
  head_bytes = {};
  first_body = {};
  path = {};
  path_bytes.reset();
  from_trusted_peer = false;
  country = {};
  request_id = {};
  trace.clear();
  request.verb = http::method::other;
  request.minor = 1;
  request.body = http::framing::none;
  request.keep_alive = request.expect_continue = request.accepts_trailers = false;
  request.method_text = request.target = request.authority = request.query = {};
  request.present = 0;
  request.content_length = 0;
  request.fields.clear();

  decision = {};
  route = nullptr;
  preflight = false;
  upgrade = {};
  allowed_methods = 0;
  banned = false;
  caller.why = auth::reason::none;
  waited_for_keys = asks_once = false;
  caller.kind = auth::credential_kind::none;
  caller.who = {};
  caller.rate = {};
  caller.slow_key = {};
  caller.key_name = {};
  caller.expires = auth::numeric_date::max();
  caller.spent_until = {};
  ended_by = nullptr;
  limit_count = 0;
  refusing_limit = SIZE_MAX;
  shares_from = SIZE_MAX;
  audit_bytes = 0;
  audit_early = false;

  to = nullptr;
  upstream_name = {};
  response.present = 0;
  response.status = 0;
  response.fields.clear();
  decoder = http::chunked_decoder({.names = http::underscores::taken});
  body_decoder = http::chunked_decoder{};
  attempts = 0;
  replay.reset();
  replay_size = 0;
  replay_lost = false;
  uploaded = upload_stopped = body_read = upload_failed = upload_stuck = upstream_reusable =
      out_of_time = callers_time = trial = unreachable = false;
  upload_error = {};
  upload_deadline = observe::deadline::none;

  status = 0;
  reason = "";
  keep_alive = answer_begun = speaks_events = false;
  bytes_in = bytes_out = 0;
  upstream_tls = {};
  head_done = decided = connected = first_byte = {};
}

}  // namespace rw::gateway
