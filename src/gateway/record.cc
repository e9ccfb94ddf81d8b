#include "gateway/record.h"

#include <algorithm>

#include "base/phase.h"
#include "gateway/ban.h"
#include "gateway/connection.h"
#include "gateway/worker.h"
#include "upstream/h2_link.h"
#include "upstream/h2_stream.h"

namespace rw::gateway {
namespace {

nanoseconds since(mono_time from, mono_time to) noexcept {
  return from == mono_time{} || to < from ? nanoseconds{0} : to - from;
}

bool is_shadow_refusal(const exchange& x, std::size_t i) noexcept {
  return !x.outcomes[i].admitted && x.state->limits->at(x.limits[i].index).shadow;
}

// The first limit in shadow mode that would have refused it.
std::string_view shadow_of(const exchange& x) noexcept {
  for (std::size_t i = 0; i < x.limit_count; ++i) {
    if (is_shadow_refusal(x, i)) return x.state->limits->at(x.limits[i].index).name;
  }
  return {};
}

observe::access_record describe(const exchange& x, std::string_view client,
                                mono_time now) noexcept {
  observe::access_record r;
  r.at = x.began_at;
  r.request_id = x.request_id;
  r.trace = x.trace.trace_id();
  r.span = x.trace.parent_id();
  r.client = client;
  r.country = x.country.text();
  r.identity = x.caller.who.view();
  if (x.route != nullptr) r.route = x.route->settings->name;
  r.upstream = x.upstream_name;
  r.method = x.request.method_text;
  r.host = x.request.authority;
  r.path = x.path;
  r.query = x.request.query;
  if (x.path.empty()) {  // refused before it was taken apart: a query is redacted all the same
    const std::size_t question = std::min(x.request.target.find('?'), x.request.target.size());
    r.path = x.request.target.substr(0, question);
    r.query = x.request.target.substr(question);
  }
  r.protocol = x.downstream->is_carried() ? "HTTP/2.0"
               : x.request.minor == 0     ? "HTTP/1.0"
                                          : "HTTP/1.1";
  r.tls = tls_name(*x.client);
  r.user_agent = x.request.value(http::field_id::user_agent);
  r.referer = x.request.value(http::field_id::referer);
  r.status = x.status;
  r.reason = x.reason;
  r.shadow = shadow_of(x);
  r.attempts = x.attempts;
  r.bytes_in = x.bytes_in;
  r.bytes_out = x.bytes_out;
  r.head = since(x.began, x.head_done);
  r.decide = since(x.head_done, x.decided);
  r.connect = since(x.decided, x.connected);
  r.upstream_tls = x.upstream_tls;
  r.first_byte = since(x.connected, x.first_byte);
  r.total = since(x.began, now);
  return r;
}

void count(const exchange& x, mono_time now) {
  observe::counters& c = x.on->counters();
  const std::uint32_t route = x.route != nullptr ? x.route->label : observe::names::other;
  const unsigned kind = std::clamp(x.status / 100, 1U, 5U) - 1;
  c.add(observe::counter::requests);
  c.route(route).by_class[kind].add();
  c.durations.record(route, now - x.began);
  if (x.state->countries) c.requests_from(x.country).add();
  if (x.reason[0] != '\0') c.refusals.add(x.reason);
  if (observe::is_of_client(x.decision.passed)) c.client_deadlines.add(x.decision.passed);
  if (x.attempts > 0) {
    auto& upstream = c.upstream(x.to->label);
    (x.first_byte != mono_time{} && x.reason[0] == '\0' ? upstream.answered : upstream.failed)
        .add();
    if (x.first_byte != mono_time{}) {
      c.first_bytes.record(x.to->label, since(x.connected, x.first_byte));
    }
    if (x.attempts > 1) c.add(observe::counter::retries, x.attempts - 1);
  }
  for (std::size_t i = 0; i < x.limit_count; ++i) {
    auto& limit = c.limit(x.state->limit_labels[x.limits[i].index]);
    if (i == x.refusing_limit) {
      limit.refused.add();
    } else if (is_shadow_refusal(x, i)) {
      limit.shadow_refused.add();
    } else if (x.taken[i]) {  // others were not asked, or got back what they gave
      limit.admitted.add();
    }
  }
  x.on->callers().add({.identity = x.caller.who.view(),
                       .client = x.client_ip,
                       .is_unix = x.client_is_unix,
                       .refused = x.reason[0] != '\0',
                       .bytes_in = x.bytes_in,
                       .bytes_out = x.bytes_out},
                      now);
  c.add(observe::counter::request_bytes, x.bytes_in);
  c.add(observe::counter::response_bytes, x.bytes_out);
}

const char* reason_of(const tls::codec& tls, const error& why) noexcept {
  using flaw = tls::codec::flaw;
  if (why.code == fault::timed_out) return "tls_timeout";
  switch (tls.failure().found) {
    case flaw::none:
      break;
    case flaw::missing:
      return "client_certificate_missing";
    case flaw::untrusted:
      return "client_certificate_untrusted";
    case flaw::expired:
      return "client_certificate_expired";
    case flaw::not_yet_valid:
      return "client_certificate_not_yet_valid";
    default:
      return "client_certificate_unfit";
  }
  if (why.code == fault::malformed) return "tls_malformed";
  if (why.code == fault::too_large) return "tls_hello_too_large";
  if (tls.failure().peer_alert >= 0) return "tls_alert";
  if (why.code == fault::tls) return "tls_refused";
  return "tls_closed";
}

void write_line(worker& on, const observe::access_record& line) {
  observe::log_queue* queue = on.access_log();
  if (queue == nullptr) return;
  const std::span<char> room = queue->reserve(on.access_format().bytes_max(line));
  if (!room.empty()) queue->commit(on.access_format().write(line, room));
}

// Of a connection that has not come to its first request.
void refuse_connection(connection& c, std::string_view protocol, std::string_view host,
                       const char* reason, mono_time began) {
  const mono_time now = c.on.loop().now();
  c.on.audit().refuse(c, reason, now, c.on.loop().wall_now());
  const net::endpoint_text client(c.peer.ip, c.peer.is_unix);
  observe::access_record line;
  line.at = c.on.loop().wall_now();
  line.client = client.view();
  line.host = host;
  line.protocol = protocol;
  line.reason = reason;
  line.total = since(began, now);
  write_line(c.on, line);
}

}  // namespace

std::string_view tls_name(const connection& c) noexcept {
  const tls::codec* const tls = c.downstream.tls();
  if (tls == nullptr) return {};
  return tls->version() == tls::protocol_version::tls13 ? "TLSv1.3" : "TLSv1.2";
}

void record(exchange& x) {
  const phase_scope about(phase::log);
  const mono_time now = x.on->loop().now();
  if (x.status == 0) {
    // Nobody was answered: the client left, with a head begun or nothing at all.
    x.status = 499;
    if (x.reason[0] == '\0')
      x.reason = x.decision.reason[0] != '\0' ? x.decision.reason : "client_closed";
  }
  count(x, now);
  x.leave_limits();
  x.on->audit().end(x);
  if (x.on->access_log() == nullptr) return;
  const double sample = x.state->settings.log.access_sample;
  if (sample < 1.0 && x.status < 400 &&
      static_cast<double>(x.on->random() >> 11U) * 0x1p-53 >= sample) {
    return;
  }
  const net::endpoint_text client(x.client_ip, x.client_is_unix);
  write_line(*x.on, describe(x, client.view(), now));
}

void record_upstream_handshake(exchange& x, const result<>& outcome) {
  upstream::server_counts& counted = x.upstream->pool.counts();
  const tls::codec& tls = *x.upstream->codec();
  if (!outcome) {
    if (outcome.error().code == fault::canceled || x.out_of_time) return;
    counted.tls_failed.add();
    x.upstream->failures->add(outcome.error().text);
    return;
  }
  const upstream::h2_stream* const carried = x.upstream->carried();
  x.upstream_tls = carried != nullptr ? carried->on().handshake_time()
                                      : x.on->loop().now() - x.upstream->connected_at;
  counted.handshakes.record(x.upstream_tls);
  (tls.resumed() ? counted.tls_resumed : counted.tls_full).add();
}

void record_no_proxy_header(connection& c, const char* reason, mono_time began) {
  c.on.counters().add(observe::counter::connections_refused);
  c.on.counters().refusals.add(reason);
  refuse_connection(c, "PROXY", {}, reason, began);
}

void record_handshake(connection& c, const result<>& outcome, mono_time began) {
  const phase_scope about(phase::log);
  observe::counters& counted = c.on.counters();
  const tls::codec& tls = *c.downstream.tls();
  if (!outcome) {
    if (c.gives_way) return;  // our doing
    const char* const reason = reason_of(tls, outcome.error());
    counted.add(observe::counter::handshakes_failed);
    counted.refusals.add(reason);
    if (outcome.error().code == fault::timed_out) {
      counted.client_deadlines.add(observe::deadline::handshake);
    }
    const bool is_silent = c.downstream.bytes_received() <= (c.header ? c.header->size : 0);
    if (is_silent && outcome.error().code != fault::timed_out) return;
    refuse_connection(c, "TLS", tls.server_name(), reason, began);
    if (!is_silent) note_handshake(c, reason);
    return;
  }
  using observe::counter;
  if (tls.version() == tls::protocol_version::tls13) {
    counted.add(tls.resumed() ? counter::handshakes_tls13_resumed : counter::handshakes_tls13);
  } else {
    counted.add(tls.resumed() ? counter::handshakes_tls12_resumed : counter::handshakes_tls12);
  }
  if (c.downstream.sends_plain()) counted.add(counter::kernel_tls);
}

}  // namespace rw::gateway
