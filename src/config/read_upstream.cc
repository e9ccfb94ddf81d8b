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
  in.flag("backup", out.backup);
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
  in.number<std::uint32_t>("streams_per_connection", out.streams_per_connection, {1, 10'000});
  in.number<std::uint32_t>("max_requests_in_flight", out.max_requests_in_flight, {1, 1'000'000});
  in.number<std::uint32_t>("queue", out.queue, {0, 65536});
  in.duration("queue_timeout", out.queue_timeout, {1ms, 1h});
}

void read_balance(table_reader& in, upstream& out) {
  std::string written;
  const node* at = in.text("balance", written);
  if (at == nullptr) return;
  constexpr std::string_view by_header = "hash:header:";
  if (written.starts_with(by_header)) {
    const std::string name = lower_case(written.substr(by_header.size()));
    const std::string_view why = refuse_field_name(name);
    if (!why.empty()) return in.error(*at, "balance", std::string(why));
    out.balance = balance_rule::hash;
    out.hash_by = hash_key::header;
    out.hash_header = name;
    return;
  }
  struct word {
    std::string_view text;
    balance_rule rule;
    hash_key by = hash_key::client_ip;
  };
  constexpr word words[] = {
      {"p2c", balance_rule::p2c},
      {"round_robin", balance_rule::round_robin},
      {"least_requests", balance_rule::least_requests},
      {"hash:client.ip", balance_rule::hash, hash_key::client_ip},
      {"hash:identity", balance_rule::hash, hash_key::identity},
  };
  std::vector<std::string_view> known;
  for (const word& one : words) {
    if (one.text == written) {
      out.balance = one.rule;
      out.hash_by = one.by;
      return;
    }
    known.push_back(one.text);
  }
  known.emplace_back("hash:header:NAME");
  in.refuse_word(*at, "balance", written, known);
}

void read_health(table_reader& in, upstream_health& out) {
  if (const node* at = in.text("path", out.path)) {
    // It goes into a request line as it is (RFC 9112 3.2.1).
    const bool is_plain = std::all_of(out.path.begin(), out.path.end(),
                                      [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
    if (!out.path.empty() && (out.path.front() != '/' || !is_plain || out.path.size() > 1024)) {
      in.error(*at, "path", "must begin with / and have at most 1024 printable characters");
    }
  }
  const node* tcp = in.flag("tcp", out.tcp);
  if (tcp != nullptr && out.tcp && !out.path.empty()) {
    in.error(*tcp, "tcp", "a server is checked by path or by tcp, not both");
  }
  in.bounds("expect", out.expect_min, out.expect_max, {100, 599});
  in.duration("interval", out.interval, {100ms, 1h});
  in.number<std::uint32_t>("rise", out.rise, {1, 100});
  in.number<std::uint32_t>("fall", out.fall, {1, 100});
  in.duration("slow_start", out.slow_start, {0ms, 1h});
  in.number<std::uint32_t>("eject_after", out.eject_after, {0, 1'000'000});
  in.duration("eject_for", out.eject_for, {100ms, 24h});
}

bool is_server_name(const std::string& text) {
  const auto as_address = parse_address(text.contains(':') ? "[" + text + "]:1" : text + ":1");
  if (as_address && as_address->what != address::kind::unix_path) {
    return as_address->what != address::kind::host_name ||
           (!text.contains('*') && refuse_host_pattern(lower_case(text)).empty());
  }
  return false;
}

void read_tls(table_reader& in, upstream& of) {
  upstream_tls& out = of.tls;
  out.at = out.ca_at = in.at();
  in.flag("verify", out.verify);
  if (const node* at = in.text("ca", out.ca)) {
    out.ca_at = at->at;
    if (out.ca.empty()) in.error(*at, "ca", "must be \"system\" or the path of a PEM file");
  }
  if (const node* at = in.text("server_name", out.server_name)) {
    if (!out.server_name.empty() && !is_server_name(out.server_name)) {
      in.error(*at, "server_name", "must be a host name or an IP address, without a port");
    }
    out.server_name = lower_case(out.server_name);
  }
  if (const node* at = in.texts("pin", out.pin)) {
    for (std::size_t i = 0; i < out.pin.size(); ++i) {
      if (is_key_pin(out.pin[i])) continue;
      in.error(std::get<list>(at->value)[i], "pin",
               "must be \"sha256/\" and the SHA-256 of a public key in Base64");
    }
  }
  if (in.is_string("certificate")) {
    std::string word;
    const node* at = in.text("certificate", word);
    if (word != "off")
      in.error(*at, "certificate", "must be \"off\" or { chain = \"/path\", key = a secret }");
    return;
  }
  out.has_certificate = in.table("certificate", [&](table_reader& own) {
    const node* at = own.text("chain", out.certificate.chain, need::required);
    out.certificate.chain_at = at == nullptr ? own.at() : at->at;
    own.secret("key", out.certificate.key, need::required);
  });
}

// A path has no host that a certificate could be for.
void check_server_names(table_reader& in, const upstream& out) {
  if (!out.has_tls || !out.tls.verify || !out.tls.server_name.empty()) return;
  for (const upstream_server& one : out.servers) {
    if (!one.address.starts_with("unix:")) continue;
    in.error(out.tls.at, "tls.server_name", "is needed with a server at a unix socket");
    return;
  }
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
      "servers",
      [&](table_reader& one) {
        upstream_server made;
        read_upstream_server(one, made);
        const auto same = [&](const upstream_server& other) {
          return !made.address.empty() && other.address == made.address;
        };
        if (std::any_of(out.servers.begin(), out.servers.end(), same)) {
          one.error("address", "\"" + made.address + "\" is there already; a weight gives it more");
        }
        out.servers.push_back(std::move(made));
      },
      need::required);
  const bool is_held = std::any_of(out.servers.begin(), out.servers.end(),
                                   [](const upstream_server& one) { return !one.backup; });
  if (!out.servers.empty() && !is_held) in.error("servers", "not all of them can be backups");
  in.choice("protocol", out.protocol,
            {{"http/1.1", upstream_protocol::http11}, {"h2", upstream_protocol::h2}});
  read_host(in, out);
  read_balance(in, out);
  const node* announces = in.choice(
      "send_proxy", out.send_proxy,
      {{"off", proxy_protocol::off}, {"v1", proxy_protocol::v1}, {"v2", proxy_protocol::v2}});
  if (out.protocol == upstream_protocol::h2 && out.send_proxy != proxy_protocol::off) {
    in.error(*announces, "send_proxy",
             "names one client for a connection, and with protocol = \"h2\" many share it");
  }
  out.has_tls = in.table("tls", [&](table_reader& tls) { read_tls(tls, out); });
  in.table("timeouts", [&](table_reader& timeouts) {
    timeouts.duration("connect", out.connect_timeout, {1ms, 1h});
    timeouts.duration("first_byte", out.first_byte_timeout, {1ms, 24h});
    timeouts.duration("gap", out.gap_timeout, {1ms, 24h});
    timeouts.duration_or_off("total", out.total_timeout, {1ms, 24h * 7});
  });
  in.table("pool", [&](table_reader& pool) { read_pool(pool, out); });
  check_server_names(in, out);
  in.table("health", [&](table_reader& health) { read_health(health, out.health); });
  read_unreachable(in, out);
  in.table("retry", [&](table_reader& retry) {
    retry.number<std::uint32_t>("attempts", out.retry_attempts, {1, 2});
    retry.fraction("budget", out.retry_budget, {0.0, 1.0});
  });
}

}  // namespace rw::config
