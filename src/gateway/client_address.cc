#include "gateway/client_address.h"

#include <algorithm>

#include "base/text.h"
#include "gateway/connection.h"
#include "gateway/worker.h"

namespace rw::gateway {

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
  if (c.located_by != known->id() || c.located != x.client_ip) {
    c.located_by = known->id();
    c.located = x.client_ip;
    c.country = known->find(x.client_ip);
  }
  x.country = c.country;
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
