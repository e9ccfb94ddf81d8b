// [[listener]]: where clients come in.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/address.h"
#include "config/cidr.h"
#include "config/nearest.h"
#include "config/sections.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;

// What operators may write, and the IANA name that the configuration keeps.
struct spelling {
  std::string_view written;
  std::string_view canonical;
};

constexpr std::array<spelling, 15> cipher_names{{
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
}};

constexpr std::array<spelling, 10> group_names{{{"X25519MLKEM768", "X25519MLKEM768"},
                                                {"X25519", "X25519"},
                                                {"P-256", "P-256"},
                                                {"P-384", "P-384"},
                                                {"P-521", "P-521"},
                                                {"secp256r1", "P-256"},
                                                {"secp384r1", "P-384"},
                                                {"secp521r1", "P-521"},
                                                {"prime256v1", "P-256"},
                                                {"x25519", "X25519"}}};

void read_spelled(table_reader& in, std::string_view key, std::span<const spelling> known,
                  std::string_view refusal, std::vector<std::string>& out) {
  std::vector<std::string> written;
  const node* at = in.texts(key, written);
  if (at == nullptr) return;
  std::vector<std::string> names;
  bool right = true;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const auto same = std::ranges::find(known, written[i], &spelling::written);
    if (same != known.end()) {
      if (std::ranges::find(names, same->canonical) == names.end()) {
        names.emplace_back(same->canonical);
      }
      continue;
    }
    right = false;
    std::vector<std::string_view> words;
    for (const spelling& one : known) words.push_back(one.written);
    in.error(std::get<list>(at->value)[i], key,
             std::string(refusal) + suggestion(written[i], words));
  }
  if (right) out = std::move(names);
}

void read_certificate(table_reader& in, certificate& out) {
  const node* at = in.text("chain", out.chain, need::required);
  out.chain_at = at == nullptr ? in.at() : at->at;
  in.secret("key", out.key, need::required);
}

void read_client_auth(table_reader& in, listener_tls& out) {
  in.choice("client_auth", out.clients,
            {{"off", client_auth::off},
             {"optional", client_auth::optional},
             {"required", client_auth::required}});
  const node* at = in.text("client_ca", out.client_ca);
  out.client_ca_at = at == nullptr ? in.at() : at->at;
  if (out.clients == client_auth::off) {
    if (!out.client_ca.empty()) {
      in.error(out.client_ca_at, "client_ca",
               "does nothing without client_auth: no client is asked for one");
    }
  } else if (out.client_ca.empty()) {
    in.missing("client_ca", "the PEM file of the authorities that clients are verified by");
  } else if (out.client_ca == "system") {
    in.error(
        out.client_ca_at, "client_ca",
        "must be the path of a PEM file: by the system's authorities anybody could be a client");
  }
}

bool is_tls13(std::string_view cipher) { return !cipher.contains("_WITH_"); }

void read_tls(table_reader& in, listener_tls& out) {
  out.at = in.at();
  in.tables(
      "certificates",
      [&](table_reader& one) { read_certificate(one, out.certificates.emplace_back()); },
      need::required);
  in.choice("min_version", out.min_version, {{"1.2", 12U}, {"1.3", 13U}});
  read_spelled(in, "groups", group_names, "not a group Ringward knows", out.groups);
  if (out.groups.empty()) in.error("groups", "must not be empty");
  read_spelled(in, "ciphers", cipher_names,
               "not an ECDHE AEAD suite of TLS 1.2 or a suite of TLS 1.3", out.ciphers);
  if (out.min_version == 13 && !out.ciphers.empty() &&
      std::ranges::none_of(out.ciphers, is_tls13)) {
    in.error("ciphers", "has no suite of TLS 1.3, and min_version allows nothing older");
  }
  in.flag("strict_sni", out.strict_sni);
  in.flag("session_tickets", out.session_tickets);
  in.choice("kernel_offload", out.kernel_offload, {{"auto", true}, {"off", false}});
  read_client_auth(in, out);
}

void read_timeouts(table_reader& in, listener_timeouts& out) {
  in.duration("handshake", out.handshake, {1ms, 1h});
  in.duration("head", out.head, {1ms, 1h});
  in.duration("body_gap", out.body_gap, {1ms, 24h});
  in.duration("write_gap", out.write_gap, {1ms, 24h});
  in.duration("keepalive", out.keepalive, {1ms, 24h});
  in.size<std::uint64_t>("least_rate", out.least_rate_bytes, {0, 1ULL << 30U});
}

void read_limits(table_reader& in, listener_limits& out) {
  in.size<std::uint32_t>("head_bytes", out.head_bytes, {1U << 10U, 256U << 10U});
  in.number<std::uint32_t>("header_count", out.header_count, {1, 256});
  in.size<std::uint32_t>("target_bytes", out.target_bytes, {64, 256U << 10U});
  if (out.target_bytes > out.head_bytes) {
    in.error("target_bytes", "must not be more than head_bytes, which it is part of");
  }
  in.choice("encoded_slash", out.keep_encoded_slash, {{"reject", false}, {"keep", true}});
  in.number<std::uint32_t>("h2_streams", out.h2_streams, {1, 10'000});
  in.number<std::uint32_t>("h2_glitches", out.h2_glitches, {1, 1'000'000});
}

void read_protocols(table_reader& in, std::vector<std::string>& out) {
  const node* at = in.texts("protocols", out);
  if (at == nullptr) return;
  constexpr std::array<std::string_view, 2> known{"h2", "http/1.1"};
  if (out.empty()) in.error(*at, "protocols", "must not be empty");
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (std::ranges::find(known, out[i]) != known.end()) continue;
    in.refuse_word(std::get<list>(at->value)[i], "protocols", out[i], known);
  }
}

}  // namespace

void read_networks(table_reader& in, std::string_view key, std::vector<std::string>& out) {
  const node* at = in.texts(key, out);
  if (at == nullptr) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (const auto parsed = cidr_set::parse({&out[i], 1}); !parsed) {
      in.error(std::get<list>(at->value)[i], key, parsed.error().text);
    }
  }
}

void read_listener(table_reader& in, listener& out) {
  if (const node* at = in.text("address", out.address, need::required)) {
    const auto parsed = parse_address(out.address);
    if (!parsed) {
      in.error(*at, "address", parsed.error().text);
    } else if (parsed->what == address::kind::host_name) {
      in.error(*at, "address", "must be an IP address, not a name; [::] is any, IPv4 too");
    }
  }
  read_protocols(in, out.protocols);
  read_networks(in, "client_address_from", out.client_address_from);
  read_networks(in, "proxy_protocol_from", out.proxy_protocol_from);
  if (!out.proxy_protocol_from.empty() && out.address.starts_with("unix:")) {
    in.error("proxy_protocol_from", "has no peers at a unix socket: they have no address");
  }
  in.number<std::uint32_t>("max_connections", out.max_connections, {1, 10'000'000});
  in.number<std::uint32_t>("max_connections_per_client", out.max_connections_per_client,
                           {0, 1'000'000});
  in.rate_or_off("handshakes_per_client", out.handshakes_per_client);
  in.flag("redirect_to_https", out.redirect_to_https);
  in.table("timeouts", [&](table_reader& timeouts) { read_timeouts(timeouts, out.timeouts); });
  in.table("limits", [&](table_reader& limits) { read_limits(limits, out.limits); });
  out.has_tls = in.table("tls", [&](table_reader& tls) { read_tls(tls, out.tls); });
  if (out.redirect_to_https && out.has_tls) {
    in.error("redirect_to_https", "is for a plain listener, and this one has [listener.tls]");
  }
}

}  // namespace rw::config
