#include "base/phase.h"
#include "base/text.h"
#include "gateway/connection.h"
#include "gateway/forward.h"
#include "gateway/worker.h"
#include "http/forwarded.h"

namespace rw::gateway {
namespace {

using http::field_id;
using http::mask_of;

// Made anew by us, or never passed on: framing, the client's word on where it comes from, our id.
constexpr std::uint64_t never_passed_on =
    mask_of(field_id::host) | mask_of(field_id::content_length) |
    mask_of(field_id::transfer_encoding) | mask_of(field_id::expect) |
    mask_of(field_id::x_forwarded_for) | mask_of(field_id::x_forwarded_proto) |
    mask_of(field_id::x_forwarded_host) | mask_of(field_id::x_forwarded_port) |
    mask_of(field_id::x_real_ip) | mask_of(field_id::forwarded) | mask_of(field_id::x_request_id) |
    mask_of(field_id::traceparent);
constexpr std::uint64_t credentials =
    mask_of(field_id::authorization) | mask_of(field_id::x_api_key);

// For the question whether the route removes it, or sets it to something else.
constexpr http::field traceparent{"traceparent", {}, field_id::traceparent, false};

// The lines of a list field, one after the other; "" before the first.
void append_lines(const exchange& x, field_id id, http::head_writer& out) {
  if (!x.request.has(id)) return;
  for (const http::field& one : x.request.fields) {
    if (one.id != id || one.value.empty()) continue;
    if (id == field_id::forwarded && !http::is_forwarded_list(one.value)) continue;
    out.text(one.value);
    out.text(", ");
  }
}

// What a trusted peer says of the client's own request, if it says it once and sanely.
std::string_view told(const exchange& x, field_id id) noexcept {
  if (!x.from_trusted_peer || x.request.count(id) != 1) return {};
  const std::string_view value = x.request.value(id);
  return is_visible_ascii(value) && value.size() <= 255 ? value : std::string_view{};
}

void write_forwarded(const exchange& x, http::head_writer& out) {
  const net::endpoint_text client(x.client_ip, x.client_is_unix);
  const net::endpoint_text peer(x.client->peer.ip, x.client->peer.is_unix);
  std::string_view proto = x.client->downstream.tls() != nullptr ? "https" : "http";
  std::string_view host = x.request.authority;
  if (const std::string_view said = told(x, field_id::x_forwarded_proto);
      iequals(said, "https") || iequals(said, "http")) {
    proto = said;
  }
  if (const std::string_view said = told(x, field_id::x_forwarded_host); !said.empty()) host = said;

  out.open_field("x-forwarded-for");
  if (x.from_trusted_peer) append_lines(x, field_id::x_forwarded_for, out);
  out.text(peer.view());
  out.close_field();
  out.field("x-forwarded-proto", proto);
  if (!host.empty()) out.field("x-forwarded-host", host);
  out.field("x-real-ip", client.view());

  // RFC 7239 4: IPv6 in brackets and quotes, what has no address is unknown.
  const bool v6 = peer.view().find(':') != std::string_view::npos;
  out.open_field("forwarded");
  if (x.from_trusted_peer) append_lines(x, field_id::forwarded, out);
  out.text(x.client->peer.is_unix ? "for=unknown" : v6 ? "for=\"[" : "for=");
  if (!x.client->peer.is_unix) out.text(peer.view());
  if (v6) out.text("]\"");
  out.text(";proto=");
  out.text(proto);
  if (!x.request.authority.empty()) {
    out.text(";host=\"");
    out.text(x.request.authority);
    out.text("\"");
  }
  out.close_field();
}

}  // namespace

bool write_request_head(exchange& x, const upstream::server& to, http::head_writer& out) {
  const phase_scope about(phase::forward);
  const request_rules& rules = x.route->request;
  const config::route& route = *x.route->settings;
  const std::string_view path = route.strip_prefix ? route::without_prefix(route, x.path) : x.path;
  out.request_line(x.request.method_text, path, x.request.query);

  std::string_view host = x.request.authority;
  if (!rules.host.empty()) host = rules.host;
  if (rules.upstream_host || host.empty()) {
    host = upstream::host_field(to.host, rules.upstream_tls);
  }
  out.field("host", host);

  // Of a trace that began elsewhere, tracestate would be about nothing (W3C 3.3).
  const std::uint64_t dropped = never_passed_on | (rules.credentials ? 0 : credentials) |
                                (x.trace_begun ? mask_of(field_id::tracestate) : 0);
  for (const http::field& one : x.request.fields) {
    if (one.hop_by_hop || (dropped & mask_of(one.id)) != 0) continue;
    if (rules.removed.contains(one)) continue;
    out.field(one.name, one.value);
  }
  const bool is_h2 = x.upstream && x.upstream->stream.is_carried();
  if (is_h2) {
    // RFC 9113 8.2.2: nothing of HTTP/1.1's, and no length that its client has not told.
    if (x.request.has(field_id::content_length)) {
      out.field("content-length", x.request.content_length);
    }
    if (x.request.accepts_trailers) out.field("te", "trailers");
  } else if (x.request.body == http::framing::length) {
    out.field("content-length", x.request.content_length);
  } else if (x.request.body == http::framing::chunked) {
    out.text("transfer-encoding: chunked\r\n");
  }
  if (!x.upgrade.empty()) {
    out.text("connection: upgrade\r\n");
    out.field("upgrade", x.upgrade);
  }
  write_forwarded(x, out);
  out.field("x-request-id", x.request_id);
  if (!rules.removed.contains(traceparent)) out.field(traceparent.name, x.trace.view());
  if (!x.caller.who.empty() && !rules.identity_name.empty()) {
    out.field(rules.identity_name, x.caller.who.view());
  }
  if (rules.added) out.text(rules.added->view());
  out.end();
  return !out.overflow();
}

}  // namespace rw::gateway
