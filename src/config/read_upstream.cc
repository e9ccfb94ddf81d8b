// [[upstream]]: where requests go.
#include <algorithm>

#include "config/address.h"
#include "config/names.h"
#include "config/sections.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;

void read_upstream_server(table_reader& in, upstream_server& out) {
  if (const node* at = in.text("address", out.address, need::required)) {
    out.at = at->at;
    const auto parsed = parse_address(out.address);
    if (!parsed) {
      in.error(*at, "address", parsed.error().text);
    } else if (parsed->what != address::kind::unix_path && parsed->port == 0) {
      in.error(*at, "address", "the port must be from 1 to 65535");
    }
  }
  in.number<std::uint32_t>("weight", out.weight, {1, 256});
  in.later("backup", false);
}

void read_host(table_reader& in, upstream& out) {
  std::string written;
  const node* at = in.text("host", written);
  if (at == nullptr || written == "preserve") return;
  if (written == "upstream") {
    out.host = host_rule::upstream;
    return;
  }
  // A host as a Host header has it (RFC 9110 7.2): with or without a port.
  const auto with_port = parse_address(written);
  const bool has_port = with_port && with_port->what != address::kind::unix_path;
  const bool is_bare = !written.contains('*') && refuse_host_pattern(lower_case(written)).empty();
  if (!has_port && !is_bare) {
    in.error(*at, "host", "must be \"preserve\", \"upstream\" or a host such as \"api.example\"");
    return;
  }
  out.host = host_rule::literal;
  out.host_literal = std::move(written);
}

void read_pool(table_reader& in, upstream& out) {
  in.number<std::uint32_t>("idle_per_worker", out.idle_per_worker, {0, 65536});
  in.duration("idle_timeout", out.idle_timeout, {1ms, 24h});
  in.number<std::uint64_t>("requests_per_connection", out.requests_per_connection,
                           {0, 1'000'000'000});
  in.number<std::uint32_t>("max_requests_in_flight", out.max_requests_in_flight, {1, 1'000'000});
  in.later("queue", 0);
  in.later("queue_timeout");
}

// What clients are told in prose when nobody is there. Bounded, so that it always fits an answer.
void read_unreachable(table_reader& in, upstream& out) {
  constexpr std::size_t octets_max = 1024;
  const node* at = in.text("unreachable_detail", out.unreachable_detail);
  if (out.unreachable_detail.size() > octets_max) {
    in.error(*at, "unreachable_detail", "has at most 1KiB");
  }
}

}  // namespace

void read_upstream(table_reader& in, upstream& out) {
  in.tables(
      "servers", [&](table_reader& one) { read_upstream_server(one, out.servers.emplace_back()); },
      need::required);
  in.later("protocol", "http/1.1");
  read_host(in, out);
  in.later("balance");
  in.later("send_proxy", "off");
  in.later("tls");
  in.table("timeouts", [&](table_reader& timeouts) {
    timeouts.duration("connect", out.connect_timeout, {1ms, 1h});
    timeouts.duration("first_byte", out.first_byte_timeout, {1ms, 24h});
    timeouts.duration("gap", out.gap_timeout, {1ms, 24h});
    timeouts.duration_or_off("total", out.total_timeout, {1ms, 24h * 7});
  });
  in.table("pool", [&](table_reader& pool) { read_pool(pool, out); });
  in.later("health");
  read_unreachable(in, out);
  in.table("retry", [&](table_reader& retry) {
    retry.number<std::uint32_t>("attempts", out.retry_attempts, {1, 2});
    retry.later("budget");
  });
}

}  // namespace rw::config
