#include "gateway/respond.h"

#include <fmt/format.h>

#include "base/phase.h"
#include "base/text.h"
#include "gateway/ban.h"
#include "gateway/connection.h"
#include "gateway/forward.h"
#include "gateway/grpc_call.h"
#include "gateway/judge.h"
#include "gateway/worker.h"
#include "http/grpc.h"
#include "http/serialise.h"
#include "limit/headers.h"

namespace rw::gateway {

using observe::deadline;

namespace {

bool connection_may_go_on(unsigned status) noexcept {
  // After these the bytes that follow cannot be told apart from a body nobody wants.
  return status != 400 && status != 408 && status != 414 && status != 431 && status != 417 &&
         status != 501 && status != 505;
}

void write_allow(const exchange& x, std::string& store, http::head_writer& out) {
  store.clear();
  if (x.route != nullptr) {
    // Refused by us, not by the route's own list: the mint takes POST alone, a key set is only
    // read, and no route takes TRACE.
    const config::route_action action = x.route->settings->action;
    store = action == config::route_action::mint   ? "POST"
            : action == config::route_action::jwks ? "GET, HEAD"
                                                   : "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";
  } else {
    route::match_result refused;
    refused.what = route::outcome::method_not_allowed;
    refused.allowed = x.allowed_methods;
    x.state->routes->append_allow(store, refused);
  }
  out.field("allow", store);
}

void write_refusal_fields(const exchange& x, std::string& store, http::head_writer& out) {
  const phase_scope about(phase::answer);
  const unsigned status = x.decision.status;
  if (status == 405) write_allow(x, store, out);
  if (!x.caller.allowed() && (status == 401 || status == 403 || status == 400)) {
    store.clear();
    auth::append_challenge(store, x.caller.why, x.route->scopes);
    if (!store.empty()) out.field("www-authenticate", store);
  }
  if (status == 429 && x.refusing_limit < x.limit_count) {
    std::array<char, limit::retry_after_bytes_max> text;
    const nanoseconds wait = x.outcomes[x.refusing_limit].retry_after;
    out.field("retry-after", std::string_view(text.data(), limit::write_retry_after(wait, text)));
  }
  if (status == 429 && x.refusing_limit >= x.limit_count) out.field("retry-after", "2");
  if (status == 503) out.field("retry-after", "1");
}

}  // namespace

// What became of TLS with a server. A server that does not take our certificate says so only after
// we are done, and then the first answer is its alert.
static verdict refusal_of_handshake(const exchange& x, const error& why) noexcept {
  using flaw = tls::codec::flaw;
  const tls::codec::failure_report& report = x.upstream->codec()->failure();
  switch (report.found) {
    case flaw::untrusted:
      return {502, "upstream_tls_untrusted"};
    case flaw::name:
      return {502, "upstream_tls_name"};
    case flaw::expired:
      return {502, "upstream_tls_expired"};
    case flaw::not_yet_valid:
      return {502, "upstream_tls_not_yet_valid"};
    case flaw::pin:
      return {502, "upstream_tls_pin"};
    case flaw::unfit:
      return {502, "upstream_tls_unfit"};
    case flaw::missing:  // a client's
    case flaw::none:
      break;
  }
  if (why.code == fault::timed_out) return {504, "upstream_tls_timeout", deadline::tls};
  if (why.code == fault::malformed) return {502, "upstream_tls_not_tls"};
  if (why.code == fault::closed || why.code == fault::reset) return {502, "upstream_tls_closed"};
  if (report.peer_alert >= 0) return {502, "upstream_tls_alert"};
  return {502, "upstream_tls_failed"};
}

// Of an origin of HTTP/2 its SETTINGS are waited for as well, when the handshake is over.
static bool is_of_handshake(const exchange& x, const error& why) noexcept {
  const tls::codec* const codec = x.upstream ? x.upstream->codec() : nullptr;
  if (codec == nullptr || x.upstream->carried() == nullptr) return codec != nullptr;
  return !codec->established() || why.code == fault::tls;
}

verdict refusal_of_upstream(const exchange& x, const error& why, upstream_stage at) noexcept {
  if (x.ended_by != nullptr) return {401, x.ended_by};
  if (why.code == fault::canceled || (x.downstream->ended() && x.body_read)) {
    return {499, "client_closed"};
  }
  if (x.callers_time) return {504, "grpc_timeout"};
  if (x.out_of_time) return {504, "upstream_total_timeout", deadline::total};
  switch (at) {
    case upstream_stage::connect:
      if (why.code == fault::unsupported) return {502, "upstream_no_h2"};
      if (why.code == fault::exhausted && why.from == origin::upstream) {
        return {502, "upstream_refused_stream"};
      }
      if (is_of_handshake(x, why)) return refusal_of_handshake(x, why);
      if (why.code == fault::timed_out) return {504, "upstream_connect_timeout", deadline::connect};
      if (why.code == fault::refused) return {502, "upstream_refused"};
      if (why.from == origin::local && why.code == fault::exhausted) return {503, "out_of_sockets"};
      return {502, "upstream_unreachable"};
    case upstream_stage::request:
      if (why.code == fault::timed_out) return {504, "upstream_takes_nothing", deadline::gap};
      if (why.code == fault::too_large) return {431, "head_too_large"};
      return {502, "upstream_reset"};
    case upstream_stage::first_byte:
      if (why.code == fault::timed_out) {
        if (x.upload_stuck) return {504, "upstream_takes_nothing", deadline::gap};
        return {504, "upstream_first_byte_timeout", deadline::first_byte};
      }
      if (was_not_begun(x, why)) return {502, "upstream_refused_stream"};
      if (why.code == fault::malformed) return {502, "upstream_malformed"};
      if (why.code == fault::too_large) return {502, "upstream_head_too_large"};
      if (why.code == fault::tls) return refusal_of_handshake(x, why);
      if (why.code == fault::closed) return {502, "upstream_closed"};
      return {502, "upstream_reset"};
    case upstream_stage::body:
      if (why.code == fault::timed_out) return {504, "upstream_body_timeout", deadline::gap};
      if (why.code == fault::malformed) return {502, "upstream_body_malformed"};
      if (why.code == fault::tls) return {502, "upstream_body_tls"};
      if (why.code == fault::closed) return {502, "upstream_body_cut"};
      return {502, "upstream_body_reset"};
  }
  return {502, "upstream_failed"};
}

verdict refusal_of_client(const error& why, deadline missed) noexcept {
  if (why.code != fault::timed_out) return {499, "client_closed"};
  if (missed == deadline::least_rate) return {499, "client_takes_little", missed};
  return {499, "client_takes_nothing", missed};
}

verdict refusal_of_body(const exchange& x) noexcept {
  switch (x.upload_error.code) {
    case fault::timed_out:
      if (x.upload_deadline == deadline::write_gap) {
        return refusal_of_client(x.upload_error, x.upload_deadline);
      }
      if (x.upload_deadline == deadline::least_rate) {
        return {408, "body_too_slow", deadline::least_rate};
      }
      return {408, "body_timeout", deadline::body_gap};
    case fault::too_large:
      return {413, "body_too_large"};
    case fault::exhausted:
      return {429, "rate_limited"};
    case fault::malformed:
      return {400, x.upload_error.text};
    default:
      return {499, "client_closed"};
  }
}

void give_up_client(exchange& x) noexcept {
  x.keep_alive = false;
  x.reason = x.decision.reason;
  if (x.status == 0) x.status = x.decision.status;
  x.downstream->abort(fault::canceled);
}

answer problem(unsigned status, std::string& store, std::string_view detail) {
  const phase_scope about(phase::answer);
  store = fmt::format(R"({{"type":"about:blank","title":"{}","status":{})",
                      http::reason_phrase(status), status);
  // RFC 9457 3.2: an extension member, what clients of an `auth_request` verifier look for.
  if (status == 401) store += R"(,"error":"unauthorized")";
  if (!detail.empty()) {
    store += R"(,"detail":")";
    append_json_escaped(store, detail);
    store += '"';
  }
  store += '}';
  answer a;
  a.status = status;
  a.type = "application/problem+json";
  a.body = store;
  return a;
}

io::task<> respond(exchange& x) {
  std::string store;
  std::string body_store;
  answer a;
  if (!x.decision.admitted()) {
    note_refusal(x);  // before its client hears of it and comes back
    if (x.decision.status == verdict::to_https) {
      body_store = https_location(x);
      a = {.status = verdict::to_https, .location = body_store};
    } else {
      a = problem(x.decision.status, body_store,
                  x.unreachable ? std::string_view(x.to->settings->unreachable_detail)
                                : std::string_view{});
    }
    if (a.status == 401 || a.status == 403) a.cache_control = "no-store";
    if (!connection_may_go_on(a.status)) x.keep_alive = false;
  } else {
    a = local_answer(x, body_store);
    if (http::is_bodiless(a.status)) a.type = {};
  }
  x.status = a.status;
  x.reason = x.decision.reason;
  if (!x.body_read && x.request.content_length > discarded_bytes_max) x.keep_alive = false;
  // A client that waits for 100 Continue may send its body all the same: not to be told apart.
  if (x.request.expect_continue && !x.body_read) x.keep_alive = false;
  x.response.fields.clear();
  x.response.present = 0;
  x.response.status = static_cast<std::uint16_t>(a.status);

  io::buffer bytes = x.on->loop().buffers().take();
  http::head_writer head({bytes.text(), io::buffer::capacity()});
  // A caller of gRPC looks for its own kind of status, and finds it in the trailers alone.
  const bool as_call = a.status >= 400 && !x.decision.admitted() && is_call(x);
  if (as_call) {
    store.clear();
    http::append_grpc_status(
        store, a.status,
        x.unreachable ? std::string_view(x.to->settings->unreachable_detail) : std::string_view{});
    a.type = "application/grpc";
    a.body = {};
  }
  head.status_line(as_call ? 200 : a.status);
  if (as_call) head.text(store);
  if (!a.type.empty()) head.field("content-type", a.type);
  if (!a.location.empty()) head.field("location", a.location);
  if (!a.cache_control.empty()) head.field("cache-control", a.cache_control);
  if (!a.etag.empty()) head.field("etag", a.etag);
  write_refusal_fields(x, store, head);
  write_common_fields(x, head);
  if (!http::is_bodiless(a.status) && !as_call) head.field("content-length", a.body.size());
  head.end();
  const bool with_body = x.request.verb != http::method::head && !http::is_bodiless(a.status);
  if (head.overflow()) {
    give_up_client(x);
    co_return;
  }
  x.answer_begun = true;
  const nanoseconds gap = x.state->listeners[x.client->listener].settings->timeouts.write_gap;
  if (!x.keep_alive || as_call) x.downstream->end_with_next_send();
  const result<> sent =
      co_await x.downstream->send({head.view(), with_body ? a.body : std::string_view{}, {}}, gap);
  x.bytes_out += head.size() + (with_body ? a.body.size() : 0);
  if (sent) co_return;
  x.keep_alive = false;
  if (sent.error().code != fault::timed_out) co_return;
  // Why it was refused stays what the log says; without that, this is.
  const verdict left = refusal_of_client(sent.error(), deadline::write_gap);
  x.decision.passed = left.passed;
  if (x.reason[0] == '\0') x.reason = left.reason;
}

}  // namespace rw::gateway
