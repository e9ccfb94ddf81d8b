#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "config_text.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string contents(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

class Full : public ::testing::Test {
 protected:
  void SetUp() override {
    auto read = load(vector_path("full.toml"));
    ASSERT_TRUE(read) << to_string(read.error().front());
    EXPECT_THAT(lines_of(read->warnings), IsEmpty());
    full_ = std::move(read->settings);
  }

  configuration full_;
};

TEST_F(Full, Process) {
  EXPECT_EQ(full_.server.workers, 4U);
  EXPECT_EQ(full_.server.drain_timeout, 45s);
  EXPECT_EQ(full_.server.buffers_bytes, 32U << 20U);
  EXPECT_EQ(full_.server.state, "/srv/ringward");
  EXPECT_EQ(full_.log.level, log_level::debug);
  EXPECT_EQ(full_.log.access_path, "/var/log/ringward/access.log");
  EXPECT_EQ(full_.log.access_format, log_format::combined);
  EXPECT_EQ(full_.log.access_sample, 0.25);
  EXPECT_EQ(full_.log.audit.path, "/var/log/ringward/audit.jsonl");
  EXPECT_EQ(full_.log.audit.sign.name, "audit");
  EXPECT_EQ(full_.log.audit.on_full, audit_full::drop);
  EXPECT_EQ(full_.log.audit.keep, 24h * 365);
  EXPECT_THAT(full_.log.redact, ElementsAre("authorization", "x-tenant-secret", "?sig"));
  EXPECT_EQ(full_.admin.socket, "/run/ringward/control.sock");
  EXPECT_TRUE(full_.admin.socket_written);
  EXPECT_EQ(full_.admin.address, "[::1]:9181");
  EXPECT_EQ(full_.admin.credential.from, secret_source::kind::credential);
  EXPECT_EQ(full_.admin.credential.name, "admin");
  EXPECT_THAT(full_.files, ElementsAre(vector_path("full.toml")));
}

TEST_F(Full, Listeners) {
  ASSERT_EQ(full_.listeners.size(), 2U);
  const listener& https = full_.listeners[0];
  EXPECT_EQ(https.name, "https");
  EXPECT_EQ(https.address, "[::]:8443");
  EXPECT_THAT(https.protocols, ElementsAre("http/1.1"));
  EXPECT_THAT(https.client_address_from, ElementsAre("10.0.0.0/8", "2001:db8::/32"));
  EXPECT_THAT(https.proxy_protocol_from, ElementsAre("192.0.2.0/24"));
  EXPECT_EQ(https.max_connections, 20000U);
  EXPECT_EQ(https.timeouts.handshake, 5s);
  EXPECT_EQ(https.timeouts.head, 6s);
  EXPECT_EQ(https.timeouts.body_gap, 20s);
  EXPECT_EQ(https.timeouts.write_gap, 21s);
  EXPECT_EQ(https.timeouts.keepalive, 2min);
  EXPECT_EQ(https.timeouts.least_rate_bytes, 1024U);
  EXPECT_EQ(https.limits.head_bytes, 16384U);
  EXPECT_EQ(https.limits.header_count, 64U);
  EXPECT_EQ(https.limits.target_bytes, 4096U);
  EXPECT_TRUE(https.limits.keep_encoded_slash);
  EXPECT_EQ(https.limits.h2_streams, 32U);
  EXPECT_EQ(https.limits.h2_glitches, 50U);
  EXPECT_FALSE(full_.listeners[1].has_tls);
  EXPECT_EQ(full_.listeners[1].address, "unix:/run/ringward/http.sock");
}

TEST_F(Full, Tls) {
  const listener& https = full_.listeners.at(0);
  ASSERT_TRUE(https.has_tls);
  ASSERT_EQ(https.tls.certificates.size(), 2U);
  EXPECT_EQ(https.tls.certificates[0].chain, "/etc/ringward/tls/a.pem");
  EXPECT_EQ(https.tls.certificates[0].key.from, secret_source::kind::file);
  EXPECT_EQ(https.tls.certificates[0].key.name, "/etc/ringward/tls/a.key");
  EXPECT_EQ(https.tls.certificates[1].key.from, secret_source::kind::credential);
  EXPECT_EQ(https.tls.min_version, 13U);
  EXPECT_THAT(https.tls.groups, ElementsAre("X25519", "P-256"));
  EXPECT_THAT(https.tls.ciphers,
              ElementsAre("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
  EXPECT_TRUE(https.tls.strict_sni);
  EXPECT_FALSE(https.tls.session_tickets);
  EXPECT_FALSE(https.tls.kernel_offload);
}

TEST_F(Full, Auth) {
  EXPECT_TRUE(full_.has_api_keys);
  EXPECT_EQ(full_.api_keys.file, "/srv/ringward/keys");
  EXPECT_THAT(full_.api_keys.headers, ElementsAre("x-api-key"));
  ASSERT_EQ(full_.jwt.size(), 2U);
  const jwt_issuer& main = full_.jwt[0];
  EXPECT_EQ(main.name, "main");
  EXPECT_EQ(main.issuer, "https://issuer.example");
  EXPECT_THAT(main.audiences, ElementsAre("api", "batch"));
  EXPECT_EQ(main.jwks_file, "/srv/ringward/jwks.json");
  EXPECT_FALSE(main.jwks_mint);
  EXPECT_EQ(main.algorithms, 1U << static_cast<unsigned>(jws_algorithm::es256) |
                                 1U << static_cast<unsigned>(jws_algorithm::eddsa));
  EXPECT_EQ(main.leeway, 10s);
  EXPECT_THAT(main.require, ElementsAre("exp", "iat"));
  EXPECT_EQ(main.max_age, 12h);
  EXPECT_EQ(main.identity, "email");
  EXPECT_THAT(main.scopes, ElementsAre("read"));
  EXPECT_EQ(main.max_token_bytes, 4096U);
  EXPECT_TRUE(full_.jwt[1].jwks_mint);
  EXPECT_TRUE(full_.mint.present);
  EXPECT_EQ(full_.mint.key.from, secret_source::kind::environment);
  EXPECT_EQ(full_.mint.key.name, "MINT_KEY");
  EXPECT_EQ(full_.mint.issuer, "https://gateway.example");
  EXPECT_EQ(full_.mint.audience, "api");
  EXPECT_EQ(full_.mint.ttl, 30min);
}

TEST_F(Full, LimitsAndUpstreams) {
  ASSERT_EQ(full_.limits.size(), 2U);
  EXPECT_EQ(full_.limits[0].name, "per-ip");
  EXPECT_THAT(full_.limits[0].by, ElementsAre(limit_key::client_ip));
  EXPECT_EQ(full_.limits[0].rate.count, 10U);
  EXPECT_EQ(full_.limits[0].rate.per, 1s);
  EXPECT_EQ(full_.limits[0].burst, 40U);
  EXPECT_EQ(full_.limits[0].ipv6_prefix, 56U);
  EXPECT_FALSE(full_.limits[0].headers);
  EXPECT_EQ(full_.limits[0].capacity, 65536U);
  EXPECT_THAT(full_.limits[1].by, ElementsAre(limit_key::identity, limit_key::route));
  EXPECT_EQ(full_.limits[1].burst, 20U);
  EXPECT_EQ(full_.limits[1].shared, limit_sharing::leased);
  EXPECT_TRUE(full_.redis.present);
  EXPECT_EQ(full_.redis.address, "redis.internal:6380");
  EXPECT_TRUE(full_.redis.has_tls);
  EXPECT_EQ(full_.redis.ca, "/etc/ringward/redis-ca.pem");
  EXPECT_EQ(full_.redis.password.name, "redis");
  EXPECT_EQ(full_.redis.timeout, 50ms);
  EXPECT_EQ(full_.redis.on_loss, redis_loss::reject);
  ASSERT_EQ(full_.upstreams.size(), 1U);
  const upstream& origin = full_.upstreams[0];
  ASSERT_EQ(origin.servers.size(), 2U);
  EXPECT_EQ(origin.servers[0].address, "origin.internal:5001");
  EXPECT_EQ(origin.servers[0].weight, 3U);
  EXPECT_EQ(origin.host, host_rule::literal);
  EXPECT_EQ(origin.host_literal, "api.internal:5001");
  EXPECT_EQ(origin.connect_timeout, 1s);
  EXPECT_EQ(origin.first_byte_timeout, 2min);
  EXPECT_EQ(origin.gap_timeout, 10min);
  EXPECT_EQ(origin.total_timeout, 1h);
  EXPECT_EQ(origin.idle_per_worker, 16U);
  EXPECT_EQ(origin.idle_timeout, 30s);
  EXPECT_EQ(origin.requests_per_connection, 1000U);
  EXPECT_EQ(origin.max_requests_in_flight, 512U);
  EXPECT_EQ(origin.retry_attempts, 1U);
}

TEST_F(Full, HowServersAreChosenAndLookedAfter) {
  const upstream& origin = full_.upstreams.at(0);
  EXPECT_FALSE(origin.servers[0].backup);
  EXPECT_TRUE(origin.servers[1].backup);
  EXPECT_EQ(origin.balance, balance_rule::hash);
  EXPECT_EQ(origin.hash_by, hash_key::header);
  EXPECT_EQ(origin.send_proxy, proxy_protocol::v2);
  EXPECT_EQ(origin.hash_header, "x-session");
  EXPECT_EQ(origin.queue, 100U);
  EXPECT_EQ(origin.queue_timeout, 250ms);
  EXPECT_EQ(origin.retry_budget, 0.1);
  EXPECT_EQ(origin.health.path, "/health?full=1");
  EXPECT_TRUE(origin.health.is_active());
  EXPECT_EQ(origin.health.expect_min, 200U);
  EXPECT_EQ(origin.health.expect_max, 204U);
  EXPECT_EQ(origin.health.interval, 2s);
  EXPECT_EQ(origin.health.rise, 1U);
  EXPECT_EQ(origin.health.fall, 4U);
  EXPECT_EQ(origin.health.slow_start, 20s);
  EXPECT_EQ(origin.health.eject_after, 7U);
  EXPECT_EQ(origin.health.eject_for, 1min);
}

TEST_F(Full, RoutesThatAnswerThemselves) {
  ASSERT_EQ(full_.routes.size(), 5U);
  EXPECT_EQ(full_.routes[0].action, route_action::mint);
  EXPECT_EQ(full_.routes[0].path, "/token");
  EXPECT_THAT(full_.routes[0].limits, ElementsAre(0U));
  EXPECT_EQ(full_.routes[1].action, route_action::jwks);
  EXPECT_THAT(full_.routes[1].auth, IsEmpty());
  EXPECT_EQ(full_.routes[2].action, route_action::redirect);
  EXPECT_EQ(full_.routes[2].redirect, "https://new.example{path}{query}");
  EXPECT_EQ(full_.routes[2].status, 301U);
  EXPECT_EQ(full_.routes[3].action, route_action::respond);
  EXPECT_EQ(full_.routes[3].status, 418U);
  EXPECT_EQ(full_.routes[3].type, "text/html");
  EXPECT_EQ(full_.routes[3].body, "<p>hello");
}

TEST_F(Full, ProxyRoute) {
  const route& api = full_.routes.at(4);
  EXPECT_THAT(api.hosts, ElementsAre("api.example", "[2001:db8::1]"));
  EXPECT_EQ(api.path_prefix, "/api");
  EXPECT_THAT(api.methods, ElementsAre("GET", "POST"));
  EXPECT_EQ(api.upstream, 0U);
  EXPECT_TRUE(api.strip_prefix);
  ASSERT_EQ(api.auth.size(), 2U);
  EXPECT_EQ(api.auth[0].how, credential::kind::api_keys);
  EXPECT_EQ(api.auth[1].how, credential::kind::jwt);
  EXPECT_EQ(api.auth[1].issuer, 0U);
  ASSERT_EQ(api.auth_all.size(), 1U);
  EXPECT_EQ(api.auth_all[0].issuer, 1U);
  EXPECT_THAT(api.limits, ElementsAre(0U, 1U));
  EXPECT_EQ(api.max_body_bytes, 1U << 20U);
  EXPECT_EQ(api.forward_identity, "x-caller");
  EXPECT_TRUE(api.forward_credentials);
  ASSERT_EQ(api.request_set.size(), 2U);
  for (const header_value& one : api.request_set) {
    if (one.name == "authorization") {
      EXPECT_EQ(one.from.from, secret_source::kind::file);
      EXPECT_EQ(one.from.name, "/srv/upstream-key");
      EXPECT_EQ(one.from.prefix, "Bearer ");
    } else {
      EXPECT_EQ(one.name, "x-via");
      EXPECT_EQ(one.text, "ringward");
    }
  }
  EXPECT_THAT(api.request_remove, ElementsAre("x-debug"));
  EXPECT_EQ(api.response_set.at(0).name, "cache-control");
  EXPECT_EQ(api.response_set.at(0).text, "no-store");
  EXPECT_THAT(api.response_remove, ElementsAre("server"));
  EXPECT_FALSE(api.security_headers);
}

TEST_F(Full, SecurityHeadersReplaceTheDefaultsByName) {
  EXPECT_THAT(
      full_.security_headers,
      ::testing::UnorderedElementsAre(
          std::pair("strict-transport-security", "max-age=63072000; includeSubDomains; preload"),
          std::pair("x-content-type-options", "nosniff"),
          std::pair("referrer-policy", "strict-origin-when-cross-origin"),
          std::pair("x-frame-options", "SAMEORIGIN"),
          std::pair("permissions-policy", "camera=()")));
}

TEST(Load, DefaultsAreTheContracts) {
  const configuration read = must_parse(with_upstream);
  EXPECT_EQ(read.server.workers, 0U);
  EXPECT_EQ(read.server.state, "/var/lib/ringward");
  EXPECT_EQ(read.admin.socket, "/run/ringward/admin.sock");
  EXPECT_FALSE(read.admin.socket_written);
  EXPECT_EQ(read.listeners.at(0).timeouts.keepalive, 75s);
  EXPECT_THAT(read.listeners.at(0).protocols, ElementsAre("h2", "http/1.1"));
  EXPECT_EQ(read.listeners.at(0).limits.h2_streams, 128U);
  EXPECT_EQ(read.listeners.at(0).limits.h2_glitches, 100U);
  EXPECT_EQ(read.limits.at(0).burst, 20U);
  EXPECT_THAT(read.limits.at(0).by, ElementsAre(limit_key::client_ip));
  EXPECT_EQ(read.upstreams.at(0).host, host_rule::preserve);
  EXPECT_EQ(read.upstreams.at(0).total_timeout, 0s);
  EXPECT_EQ(read.upstreams.at(0).balance, balance_rule::p2c);
  EXPECT_EQ(read.upstreams.at(0).queue, 0U);
  EXPECT_EQ(read.upstreams.at(0).retry_budget, 0.2);
  EXPECT_FALSE(read.upstreams.at(0).health.is_active());
  EXPECT_EQ(read.upstreams.at(0).health.eject_after, 5U);
  EXPECT_EQ(read.upstreams.at(0).health.eject_for, 30s);
  EXPECT_EQ(read.upstreams.at(0).health.slow_start, 10s);
  EXPECT_THAT(read.routes.at(0).hosts, ElementsAre("*"));
  EXPECT_EQ(read.security_headers.size(), 5U);
}

TEST(Load, WhatIsReadLaterKeepsItsPlace) {
  const configuration read = must_parse(R"([[listener]]
name = "a"
address = "127.0.0.1:0"
  [listener.tls]
  certificates = [{ chain = "/c", key = { file = "/k" } }]
[auth.api_keys]
[auth.jwt.main]
issuer = "i"
audiences = ["a"]
jwks = { file = "/j" }
[[upstream]]
name = "origin"
servers = [{ address = "origin:80" }]
)");
  const auto is_at = [](place one, std::uint32_t line, std::uint32_t column) {
    return one.file == 0 && one.line == line && one.column == column;
  };
  const listener_tls& tls = read.listeners.at(0).tls;
  EXPECT_TRUE(is_at(tls.at, 4, 3));
  EXPECT_TRUE(is_at(tls.certificates.at(0).chain_at, 5, 29));
  EXPECT_TRUE(is_at(tls.certificates.at(0).key.at, 5, 50));
  EXPECT_TRUE(is_at(read.api_keys.file_at, 6, 1)) << "a default is where its table is";
  EXPECT_TRUE(is_at(read.jwt.at(0).jwks_at, 10, 17));
  EXPECT_TRUE(is_at(read.upstreams.at(0).servers.at(0).at, 13, 24));
}

TEST(Load, TheKernelMakesTlsRecordsUnlessToldNotTo) {
  const auto offload = [](std::string_view line) {
    return must_parse(std::string(with_listener) +
                      "tls.certificates = [{ chain = \"/c\", key = { file = \"/k\" } }]\n" +
                      std::string(line))
        .listeners.at(0)
        .tls.kernel_offload;
  };
  EXPECT_TRUE(offload(""));
  EXPECT_TRUE(offload("tls.kernel_offload = \"auto\""));
  EXPECT_FALSE(offload("tls.kernel_offload = \"off\""));
}

TEST(Load, TenMistakesAreSaidInOneGo) {
  const auto read = load(vector_path("ten-mistakes.toml"));
  ASSERT_FALSE(read);
  std::string printed;
  for (const diagnostic& one : read.error()) {
    diagnostic here = one;
    here.file = std::filesystem::path(one.file).filename();
    printed += to_string(here) + "\n";
  }
  EXPECT_EQ(printed, contents(vector_path("ten-mistakes.txt")));
}

}  // namespace
}  // namespace rw::config
