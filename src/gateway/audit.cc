#include "gateway/audit.h"

#include <algorithm>

#include "base/phase.h"
#include "gateway/connection.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

using observe::audit_event;
using observe::audit_result;

// What the ring may waste where it wraps, and what folded and early records need. A line is shorter
// than half of it: two paths and the longest texts, all escaped.
constexpr std::size_t spare_bytes = 128U << 10U;

// Which step a decision was made at.
audit_event event_of(const exchange& x) noexcept {
  if (!x.decision.admitted()) {
    if (x.banned) return audit_event::ban;
    if (x.decision.status == 429 || x.refusing_limit != SIZE_MAX) return audit_event::rate_limit;
    const bool unknown = !x.caller.allowed() && x.decision.status != 403;
    return unknown ? audit_event::authentication : audit_event::authorization;
  }
  if (x.preflight) return audit_event::authorization;
  const config::route& route = *x.route->settings;
  if (route.action == config::route_action::mint) return audit_event::mint;
  const bool open = route.auth.empty() && route.auth_all.empty();
  return open ? audit_event::authorization : audit_event::authentication;
}

observe::refusal describe_refusal(const exchange& x) noexcept {
  observe::refusal one;
  one.ip = x.client_ip;
  one.is_unix = x.client_is_unix;
  one.what = event_of(x);
  one.reason = x.decision.reason;
  if (x.route != nullptr) one.route = x.route->settings->name;
  one.identity = x.caller.who.view();
  return one;
}

// What of the caller's the identity was taken from, where it has more than the one.
std::string_view credential_of(const exchange& x) noexcept {
  switch (x.caller.kind) {
    case auth::credential_kind::jwt:
      return x.caller.token_id;
    case auth::credential_kind::mtls:
      return x.client->shown->certificate.thumbprint;
    default:
      return x.caller.who.view();
  }
}

observe::audit_record describe(const exchange& x, std::string_view client) noexcept {
  observe::audit_record r;
  r.at = x.began_at;
  r.what = event_of(x);
  r.outcome = x.decision.admitted() ? audit_result::allow : audit_result::deny;
  r.reason = x.decision.reason;
  if (r.what == audit_event::authorization && x.decision.admitted()) {
    r.reason = x.preflight ? "cors_preflight" : "open_route";
  }
  r.client = client;
  if (x.client_ip == x.client->peer.ip && !x.client_is_unix) r.port = x.client->peer.port;
  r.country = x.country.text();
  r.identity = x.caller.who.view();
  if (x.caller.kind != auth::credential_kind::none) {
    const bool is_token = x.caller.kind == auth::credential_kind::jwt;
    r.credential = auth::name(x.caller.kind);
    r.credential_id = credential_of(x);
    if (is_token) r.issuer = x.state->settings.jwt[x.caller.issuer].name;
  }
  if (x.route != nullptr) r.route = x.route->settings->name;
  r.request_id = x.request_id;
  r.trace = x.trace.trace_id();
  r.method = x.request.method_text.substr(0, 32);
  r.path = x.path;
  r.query = x.request.query;
  if (x.path.empty()) {  // refused before it was taken apart
    const std::size_t question = std::min(x.request.target.find('?'), x.request.target.size());
    r.path = x.request.target.substr(0, question);
    r.query = x.request.target.substr(question);
  }
  return r;
}

}  // namespace

void auditor::adopt(const config::log& rules) {
  format_ = observe::audit_formatter(rules.redact);
  rejects_ = rules.audit.on_full == config::audit_full::reject;
}

bool auditor::has_room(std::size_t bytes) noexcept {
  return queue_->has_room(set_aside_ + bytes + spare_bytes);
}

void auditor::put(std::string_view line) {
  const std::span<char> room = queue_->reserve(line.size());
  if (room.empty()) return;  // dropped, and counted
  std::copy(line.begin(), line.end(), room.begin());
  queue_->commit(line.size());
}

bool auditor::write_folded(const observe::audit_fold::entry& one, wall_time at) {
  observe::audit_record r;
  r.at = at;
  r.what = one.of.what;
  r.outcome = audit_result::deny;
  r.count = one.count;
  r.since = one.since;
  if (fold_.is_others(one)) {
    r.what = audit_event::authorization;
    r.reason = "other_refusals";
    format_.begin(r, line_);
  } else {
    // An IPv6 client may use any address of its /64.
    const net::endpoint_text address(one.of.ip, one.of.is_unix);
    const bool is_v6 = address.view().contains(':');
    config::ip16 network = one.of.ip;
    if (is_v6) std::fill(network.begin() + 8, network.end(), std::uint8_t{0});
    const net::endpoint_text shown(network, one.of.is_unix);
    const std::string client = std::string(shown.view()) + (is_v6 ? "/64" : "");
    r.reason = one.of.reason;
    r.client = client;
    r.route = one.route;
    r.identity = one.identity;
    format_.begin(r, line_);
  }
  observe::audit_formatter::end(r, line_);
  if (!has_room(line_.size())) return false;
  put(line_);
  return true;
}

void auditor::decide(exchange& x) {
  const phase_scope about(phase::log);
  if (!is_on()) return;
  const mono_time now = x.on->loop().now();
  if (!x.decision.admitted()) {
    if (fold_.add(describe_refusal(x), now, x.began_at)) return;
  } else if (!fold_.empty()) {
    observe::refusal client;
    client.ip = x.client_ip;
    client.is_unix = x.client_is_unix;
    fold_.flush(client, [&](const auto& one) { return write_folded(one, x.began_at); });
  }
  const net::endpoint_text client(x.client_ip, x.client_is_unix);
  format_.begin(describe(x, client.view()), x.audit_line);
  const std::size_t bytes = x.audit_line.size() + observe::audit_formatter::end_bytes_max;
  if (has_room(bytes)) {
    x.audit_bytes = bytes;
    set_aside_ += bytes;
    return;
  }
  if (rejects_) {
    x.decision = {503, "audit_full"};
  } else {
    queue_->drop();
  }
}

// Nobody is let on without a record here: where there is no room one is dropped, and counted.
void auditor::refuse(const connection& c, const char* reason, mono_time now, wall_time at) {
  if (!is_on()) return;
  observe::refusal one;
  one.ip = c.peer.ip;
  one.is_unix = c.peer.is_unix;
  one.what = audit_event::authentication;
  one.reason = reason;
  if (fold_.add(one, now, at)) return;
  const net::endpoint_text client(c.peer.ip, c.peer.is_unix);
  observe::audit_record r;
  r.at = at;
  r.what = one.what;
  r.outcome = audit_result::deny;
  r.reason = reason;
  r.client = client.view();
  r.port = c.peer.is_unix ? 0 : c.peer.port;
  write(r);
}

void auditor::write(const observe::audit_record& what) {
  if (!is_on()) return;
  format_.begin(what, line_);
  observe::audit_formatter::end(what, line_);
  if (has_room(line_.size())) {
    put(line_);
  } else {
    queue_->drop();
  }
}

void auditor::end(exchange& x) {
  if (x.audit_bytes == 0) return;
  set_aside_ -= std::exchange(x.audit_bytes, 0);
  observe::audit_record r;
  r.status = x.status;
  r.bytes_in = x.bytes_in;
  r.bytes_out = x.bytes_out;
  observe::audit_formatter::end(r, x.audit_line);
  put(x.audit_line);
}

void auditor::look(connection* first, mono_time now, wall_time at) {
  const phase_scope about(phase::log);
  if (!is_on()) return;
  fold_.sweep(now, false, [&](const auto& one) { return write_folded(one, at); });
  observe::audit_record r;
  r.under_way = true;
  for (connection* c = first; c != nullptr; c = c->next) {
    for (exchange* x = c->current; x != nullptr; x = x->next_of_client) {
      if (x->audit_bytes == 0 || x->audit_early) continue;
      if (now < x->decided + under_way_after) continue;
      line_ = x->audit_line;
      observe::audit_formatter::end(r, line_);
      if (!has_room(line_.size())) return;
      put(line_);
      x->audit_early = true;
    }
  }
}

void auditor::finish(mono_time now, wall_time at) {
  if (!is_on()) return;
  fold_.sweep(now, true, [&](const auto& one) { return write_folded(one, at); });
}

}  // namespace rw::gateway
