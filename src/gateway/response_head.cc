#include "base/phase.h"
#include "gateway/connection.h"
#include "gateway/forward.h"
#include "gateway/worker.h"
#include "limit/headers.h"

namespace rw::gateway {
namespace {

// Framing is made anew, and what is meant for one hop stays there.
constexpr std::uint64_t never_passed_on =
    http::mask_of(http::field_id::content_length) |
    http::mask_of(http::field_id::transfer_encoding) | http::mask_of(http::field_id::x_request_id) |
    http::mask_of(http::field_id::ratelimit) | http::mask_of(http::field_id::ratelimit_policy);

void write_limits(const exchange& x, http::head_writer& out) {
  std::array<limit::field_item, limits_per_route_max> items;
  std::size_t count = 0;
  for (std::size_t i = 0; i < x.limit_count; ++i) {
    const std::uint32_t index = x.limits[i].index;
    const config::limit& rules = x.state->limits->at(index);
    const bool decided = x.refusing_limit == SIZE_MAX || x.refusing_limit == i;
    const limit::bound met = x.outcomes[i].met;
    const bool told = met == limit::bound::none || met == limit::bound::rate;
    if (!rules.headers || rules.shadow || rules.rate.count == 0 || !decided || !told) continue;
    const bool in_bytes = rules.cost == config::limit_cost::request_bytes;
    items[count++] = {rules.name, in_bytes, x.state->limits->pace_of(x.limits[i]), x.outcomes[i]};
  }
  if (count == 0) return;
  std::array<char, limits_per_route_max * limit::field_item_bytes_max> text;
  const std::span used(items.data(), count);
  out.field("ratelimit-policy", std::string_view(text.data(), limit::write_policy(used, text)));
  out.field("ratelimit", std::string_view(text.data(), limit::write_state(used, text)));
}

}  // namespace

bool is_passed_on(const exchange& x, const http::field& one) noexcept {
  return !one.hop_by_hop && (never_passed_on & http::mask_of(one.id)) == 0 &&
         !x.route->response.removed.contains(one);
}

void write_common_fields(const exchange& x, http::head_writer& out) {
  const phase_scope about(phase::answer);
  const bool tls = x.client->downstream.tls() != nullptr;
  const response_rules& rules = x.route != nullptr ? x.route->response : x.state->unrouted;
  out.text(tls ? rules.added_tls : rules.added_plain);
  if (!rules.policy.empty() && !x.response.has(http::field_id::content_security_policy)) {
    out.text(rules.policy);
  }
  if (x.route != nullptr && x.route->cors.is_on()) write_cors_fields(x, out);
  if (!x.response.has(http::field_id::date)) out.field("date", x.on->date());
  if (!x.request_id.empty()) out.field("x-request-id", x.request_id);
  if (x.limit_count > 0) write_limits(x, out);
  if (x.downstream->is_carried()) return;  // RFC 9113 8.2.2: there is no such field
  if (!x.keep_alive) {
    out.text("connection: close\r\n");
  } else if (x.request.minor == 0) {
    out.text("connection: keep-alive\r\n");
  }
}

bool write_switch_head(exchange& x, http::head_writer& out) {
  const phase_scope about(phase::answer);
  out.status_line(x.response.status, x.response.reason);
  for (const http::field& one : x.response.fields) {
    if (is_passed_on(x, one)) out.field(one.name, one.value);
  }
  out.field("x-request-id", x.request_id);
  if (x.limit_count > 0) write_limits(x, out);
  out.text("connection: upgrade\r\n");
  out.field("upgrade", x.upgrade);
  out.end();
  return !out.overflow();
}

bool write_response_head(exchange& x, body_coding body, http::head_writer& out) {
  const phase_scope about(phase::answer);
  out.status_line(x.response.status, x.response.reason);
  for (const http::field& one : x.response.fields) {
    if (is_passed_on(x, one)) out.field(one.name, one.value);
  }
  write_common_fields(x, out);
  if (body == body_coding::chunked) {
    out.text("transfer-encoding: chunked\r\n");
  } else if (body == body_coding::length || x.response.has(http::field_id::content_length)) {
    // Kept on answers to HEAD and on 304 too: it says what a GET would bring (RFC 9110 8.6).
    if (body == body_coding::length || x.response.status == 304 ||
        x.request.verb == http::method::head) {
      out.field("content-length", x.response.content_length);
    }
  }
  out.end();
  return !out.overflow();
}

}  // namespace rw::gateway
