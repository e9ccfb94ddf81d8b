#include "gateway/client_address.h"

#include <algorithm>

#include "base/text.h"
#include "gateway/connection.h"
#include "gateway/record.h"
#include "gateway/worker.h"

namespace rw::gateway {

bool speaks_for_others(const connection& c) noexcept {
  const config::cidr_set& proxies = c.on.state().listeners[c.listener].proxies;
  return !proxies.empty() && !c.peer.is_unix && proxies.contains(c.peer.ip);
}

io::task<bool> read_proxy_header(connection& c) {
  const mono_time began = c.on.loop().now();
  const mono_time by = began + c.on.state().listeners[c.listener].settings->timeouts.handshake;
  net::proxy_header said;
  for (;;) {
    const net::proxy_state at = net::parse_proxy_header(c.downstream.input(), said);
    if (at == net::proxy_state::complete) break;
    if (at == net::proxy_state::refused) {
      record_no_proxy_header(c, "proxy_header_malformed", began);
      co_return false;
    }
    const result<> more = co_await c.downstream.receive(by);
    if (more) continue;
    const bool late = more.error().code == fault::timed_out;
    if (c.gives_way) co_return false;  // our doing
    // Balancers look whether somebody is there by connecting, and leave.
    if (late || !c.downstream.input().empty()) {
      record_no_proxy_header(c, late ? "proxy_header_late" : "proxy_header_incomplete", began);
    }
    co_return false;
  }
  c.downstream.consume(said.size);
  if (said.has_addresses) c.peer = said.from;
  c.header = std::make_unique<const net::proxy_header>(said);
  co_return true;
}

net::proxy_header announcement_of(const exchange& x) {
  connection& c = *x.client;
  if (c.peer.is_unix) return {};  // no address of either side's
  if (!c.header || !c.header->has_addresses) {
    net::proxy_header own{.size = c.header ? c.header->size : 0};
    const result<sockaddr_storage> address = x.on->loop().kernel().local_address(c.downstream.fd());
    if (address) own.to = net::to_endpoint(*address);
    own.from = c.peer;
    own.has_addresses = own.to.port != 0;
    c.header = std::make_unique<const net::proxy_header>(own);
  }
  net::proxy_header made = *c.header;
  made.has_addresses = made.has_addresses && !x.client_is_unix;
  // The port is that of the connection, and says nothing of whom another header has named.
  if (x.client_ip != made.from.ip) made.from = {.ip = x.client_ip};
  return made;
}

void find_client(exchange& x, const config::cidr_set& trusted) noexcept {
  const net::endpoint& peer = x.client->peer;
  x.client_ip = peer.ip;
  x.client_is_unix = peer.is_unix;
  if (trusted.empty() || peer.is_unix || !trusted.contains(peer.ip)) return;
  x.from_trusted_peer = true;

  // Several lines are one list (RFC 9110 5.3): read from the last element of the last line.
  const http::field_list& fields = x.request.fields;
  for (std::size_t i = fields.size(); i-- > 0;) {
    if (fields[i].id != http::field_id::x_forwarded_for) continue;
    std::string_view rest = fields[i].value;
    while (!rest.empty()) {
      const std::size_t comma = rest.rfind(',');
      const bool last = comma == std::string_view::npos;
      const std::string_view hop = trim_ows(last ? rest : rest.substr(comma + 1));
      rest = last ? std::string_view{} : rest.substr(0, comma);
      if (hop.empty()) continue;
      config::ip16 ip;
      if (!net::parse_ip(hop, ip)) return;
      x.client_ip = ip;
      if (!trusted.contains(ip)) return;
    }
  }
}

void find_country(exchange& x) noexcept {
  const geo::country_table* const known = x.state->countries.get();
  if (known == nullptr || x.client_is_unix) return;
  connection& c = *x.client;
  if (!c.located || c.located->by != known->id() || c.located->ip != x.client_ip) {
    c.located =
        std::make_unique<located_client>(x.client_ip, known->id(), known->find(x.client_ip));
  }
  x.country = c.located->country;
}

void find_trace(exchange& x) noexcept {
  const auto number = [&x] {
    std::uint64_t one = x.on->random();
    while (one == 0) one = x.on->random();
    return one;
  };
  x.trace_begun = x.request.count(http::field_id::traceparent) != 1 ||
                  !x.trace.parse(x.request.value(http::field_id::traceparent));
  if (x.trace_begun) x.trace.begin(number(), number());
  x.trace.set_parent(number());
}

void find_request_id(exchange& x) noexcept {
  if (x.from_trusted_peer && x.request.count(http::field_id::x_request_id) == 1) {
    const std::string_view given = x.request.value(http::field_id::x_request_id);
    if (given.size() <= request_id_bytes_max && is_visible_ascii(given)) {
      x.request_id = given;
      return;
    }
  }
  static constexpr char digits[] = "0123456789abcdef";
  char* at = x.request_id_bytes.data();
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = x.on->random();
    for (int i = 0; i < 16; ++i, bits >>= 4) *at++ = digits[bits & 15];
  }
  x.request_id = {x.request_id_bytes.data(), 32};
}

}  // namespace rw::gateway
