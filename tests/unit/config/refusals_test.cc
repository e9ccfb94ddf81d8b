// What is refused outside of routes: one line per kind of mistake, with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config_text.h"

namespace rw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view no_route = "t: warning: there is no [[route]]: every answer is 404";

struct refusal {
  std::string_view text;  // begins on line 4
  std::string_view line;  // what is printed
};

const std::string long_detail =
    "[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\nunreachable_detail = \"" +
    std::string(1025, 'x') + "\"";

class Refusals : public ::testing::TestWithParam<refusal> {};

TEST_P(Refusals, AreOneLineWithAPlace) {
  EXPECT_THAT(after_listener(GetParam().text), ElementsAre(GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    Process, Refusals,
    ::testing::Values(
        refusal{"[server]\nworkers = 0", "t:5:11: error: server.workers: must be from 1 to 1024"},
        refusal{"[server]\nworkers = 1025",
                "t:5:11: error: server.workers: must be from 1 to 1024"},
        refusal{"[server]\nworkers = -1", "t:5:11: error: server.workers: must be from 1 to 1024"},
        refusal{"[server]\nworkers = \"all\"",
                "t:5:11: error: server.workers: must be \"auto\" or a number"},
        refusal{"[server]\nworkers = 1.5",
                "t:5:11: error: server.workers: must be a number, not a fraction"},
        refusal{"[server]\ndrain_timeout = 30",
                "t:5:17: error: server.drain_timeout: must be a string, not a number"},
        refusal{"[server]\ndrain_timeout = \"30\"",
                "t:5:17: error: server.drain_timeout: must be a duration such as \"30s\": a whole "
                "number and ms, s, m, h or d"},
        refusal{"[server]\ndrain_timeout = \"2d\"",
                "t:5:17: error: server.drain_timeout: must be from 0s to 1d"},
        refusal{"[server]\nstate = \"var\"",
                "t:5:9: error: server.state: must be an absolute path"},
        refusal{"[server]\nstate = \"\"", "t:5:9: error: server.state: must be an absolute path"},
        refusal{"[server]\nbuffers = \"16MB\"",
                "t:5:11: error: server.buffers: must be a size such as \"64KiB\": a whole number "
                "and B, KiB, MiB or GiB"},
        refusal{"[server]\nbuffers = \"1KiB\"",
                "t:5:11: error: server.buffers: must be from 1MiB to 64GiB"},
        refusal{"[server]\nwrokers = 4",
                "t:5:1: error: server.wrokers: unknown key; did you mean \"workers\"?"},
        refusal{"[server]\ncompression = true",
                "t:5:1: error: server.compression: unknown key; the nearest known is \"workers\""},
        refusal{"[sever]\nworkers = 4",
                "t:4:2: error: sever: unknown key; did you mean \"server\"?"},
        refusal{"[log]\nlevel = \"warn\"",
                "t:5:9: error: log.level: must be one of \"error\", \"warning\", \"info\", "
                "\"debug\""},
        refusal{"[log]\naccess = \"off\"",
                "t:5:10: error: log.access: must be a table, not a string"},
        refusal{"[log]\naccess = { path = \"access.log\" }",
                "t:5:19: error: log.access.path: must be \"-\" for standard output, "
                "\"syslog\", \"journal\", \"off\" or an absolute path"},
        refusal{
            "[log]\naudit = { path = \"audit.jsonl\" }",
            "t:5:18: error: log.audit.path: must be \"off\" or an absolute path: a file that can "
            "be rotated"},
        refusal{"[log]\naudit = { sign = \"00\" }",
                "t:5:18: error: log.audit.sign: a secret is never written here: give one of { file "
                "= \"/path\" }, { credential = \"name\" } or { env = \"NAME\" }"},
        refusal{"[log]\naccess = { sample = 1.5 }",
                "t:5:21: error: log.access.sample: must be from 0.0 to 1.0"},
        refusal{"[log]\naccess = { sample = nan }",
                "t:5:21: error: log.access.sample: must be from 0.0 to 1.0"},
        refusal{"[log]\nredact = [\"a b\"]", "t:5:11: error: log.redact: is not a header name"},
        refusal{"[log]\nredact = [\"x_token\"]",
                "t:5:11: error: log.redact: must not have an underscore: only "
                "names in the answers of origins may"},
        refusal{"[security_headers]\nX_Frame_Options = \"DENY\"",
                "t:5:1: error: security_headers.X_Frame_Options: must not have an underscore: only "
                "names in the answers of origins may"},
        refusal{"[admin]\nsocket = \"here\"",
                "t:5:10: error: admin.socket: must be an absolute path, or \"off\""},
        refusal{"[admin]\naddress = \"0.0.0.0:9180\"",
                "t:5:11: error: admin.address: must be loopback, as in \"127.0.0.1:9180\": others "
                "need admin.credential"},
        refusal{"[admin]\naddress = \"0.0.0.0:9180\"\ncredential = \"off\"",
                "t:5:11: error: admin.address: must be loopback, as in \"127.0.0.1:9180\": others "
                "need admin.credential"},
        refusal{
            "[admin]\ncredential = \"hunter2\"",
            "t:5:14: error: admin.credential: a secret is never written here: give one of { file = "
            "\"/path\" }, { credential = \"name\" } or { env = \"NAME\" }"},
        refusal{"[admin]\naddress = \"localhost:9180\"",
                "t:5:11: error: admin.address: must be an IP address and a port, as in "
                "\"127.0.0.1:9180\", or \"off\""}));

INSTANTIATE_TEST_SUITE_P(
    Listener, Refusals,
    ::testing::Values(
        refusal{"[[listener]]\nname = \"b\"", "t:4:1: error: listener.address: required"},
        refusal{"[[listener]]\naddress = \"[::1]:0\"", "t:4:1: error: listener.name: required"},
        refusal{"[[listener]]\nname = \"a\"\naddress = \"[::1]:0\"",
                "t:5:8: error: listener.name: \"a\" is already at t:2:8"},
        refusal{
            "[[listener]]\nname = \"b b\"\naddress = \"[::1]:0\"",
            "t:5:8: error: listener.name: must be 1 to 64 letters, digits, \"-\", \"_\" or \".\""},
        refusal{"[[listener]]\nname = \"b\"\naddress = \"localhost:80\"",
                "t:6:11: error: listener.address: must be an IP address, not a name; [::] is any, "
                "IPv4 too"},
        refusal{"[[listener]]\nname = \"b\"\naddress = \"127.0.0.1:65536\"",
                "t:6:11: error: listener.address: a port is a number up to 65535"},
        refusal{
            "[[listener]]\nname = \"b\"\naddress = \"127.0.0.1:80\"\n[[listener]]\nname = \"c\"\n"
            "address = \"127.0.0.1:80\"",
            "t:7:1: error: listener.address: 127.0.0.1:80 is already the address of the listener "
            "at t:4:1"},
        refusal{"[[listener]]\nname = \"b\"\naddress = \"127.0.0.1:9180\"",
                "t:4:1: error: listener.address: 127.0.0.1:9180 is admin.address"},
        refusal{
            "protocols = [\"http/1.0\"]",
            "t:4:14: error: listener.protocols: must be one of \"h2\", \"http/1.1\"; did you mean "
            "\"http/1.1\"?"},
        refusal{"protocols = []", "t:4:13: error: listener.protocols: must not be empty"},
        refusal{"proxy_protocol_from = [\"10.0.0.1/8\"]",
                "t:4:24: error: listener.proxy_protocol_from: bits after the prefix must be zero"},
        refusal{
            "[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\nsend_proxy = \"v3\"",
            "t:7:14: error: upstream.send_proxy: must be one of \"off\", \"v1\", \"v2\"; did you "
            "mean "
            "\"v1\"?"},
        refusal{"client_address_from = [\"10.0.0.0/8\", \"10.0.0.1/8\"]",
                "t:4:38: error: listener.client_address_from: bits after the prefix must be zero"},
        refusal{"max_connections_per_client = 1000001",
                "t:4:30: error: listener.max_connections_per_client: must be from 0 to 1000000"},
        refusal{"handshakes_per_client = \"5\"",
                "t:4:25: error: listener.handshakes_per_client: must be a rate such as "
                "\"10/s\": a whole number from 1, then /s, /m or /h"},
        refusal{"max_connections = 0",
                "t:4:19: error: listener.max_connections: must be from 1 to 10000000"},
        refusal{"timeouts = { head = \"0s\" }",
                "t:4:21: error: listener.timeouts.head: must be from 1ms to 1h"},
        refusal{"timeouts = { least_rate = 0 }",
                "t:4:27: error: listener.timeouts.least_rate: must be a string, not a number"},
        refusal{"limits = { head_bytes = \"512B\", target_bytes = \"100B\" }",
                "t:4:25: error: listener.limits.head_bytes: must be from 1KiB to 256KiB"},
        refusal{"limits = { header_count = 257 }",
                "t:4:27: error: listener.limits.header_count: must be from 1 to 256"},
        refusal{"limits = { head_bytes = \"4KiB\" }",
                "t:4:10: error: listener.limits.target_bytes: must not be more than head_bytes, "
                "which it is part of"},
        refusal{
            "limits = { encoded_slash = \"decode\" }",
            "t:4:28: error: listener.limits.encoded_slash: must be one of \"reject\", \"keep\""},
        refusal{"tls = {}", "t:4:7: error: listener.tls.certificates: required"},
        refusal{"tls = { certificates = [] }",
                "t:4:24: error: listener.tls.certificates: must not be empty"},
        refusal{
            "tls = { certificates = [{ chain = \"/c\", key = \"hunter2\" }] }",
            "t:4:47: error: listener.tls.certificates.key: a secret is never written here: give "
            "one of { file = \"/path\" }, { credential = \"name\" } or { env = \"NAME\" }"},
        refusal{
            "tls = { certificates = [{ chain = \"/c\", key = { file = \"/k\", env = \"K\" } }] }",
            "t:4:47: error: listener.tls.certificates.key: a secret is one of { file = \"/path\" "
            "}, { credential = \"name\" } or { env = \"NAME\" }"},
        refusal{"tls = { certificates = [{ chain = \"/c\", key = { credential = \"a/b\" } }] }",
                "t:4:62: error: listener.tls.certificates.key.credential: must be a plain name"},
        refusal{
            "tls = { certificates = [{ chain = \"/c\", key = { file = \"/k\", prefix = \"x\" } }] "
            "}",
            "t:4:62: error: listener.tls.certificates.key.prefix: unknown key; the nearest known "
            "is \"file\""}));

constexpr std::string_view some_tls =
    "tls.certificates = [{ chain = \"/c\", key = { file = \"/k\" } }]\n";

class TlsRefusals : public ::testing::TestWithParam<refusal> {};

TEST_P(TlsRefusals, AreOneLineWithAPlace) {
  EXPECT_THAT(after_listener(std::string(some_tls) + std::string(GetParam().text)),
              ElementsAre(GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    Tls, TlsRefusals,
    ::testing::Values(
        refusal{"tls.min_version = \"1.1\"",
                "t:5:19: error: listener.tls.min_version: must be one of \"1.2\", \"1.3\"; did you "
                "mean \"1.2\"?"},
        refusal{"tls.groups = [\"P256\"]",
                "t:5:15: error: listener.tls.groups: not a group Ringward knows; did you mean "
                "\"P-256\"?"},
        refusal{"tls.groups = []", "t:5:14: error: listener.tls.groups: must not be empty"},
        refusal{
            "tls.ciphers = [\"AES128-SHA\"]",
            "t:5:16: error: listener.tls.ciphers: not an ECDHE AEAD suite of TLS 1.2 or a suite "
            "of TLS 1.3; the nearest known is \"TLS_AES_128_GCM_SHA256\""},
        refusal{"tls.min_version = \"1.3\"\ntls.ciphers = [\"ECDHE-RSA-AES128-GCM-SHA256\"]",
                "t:6:15: error: listener.tls.ciphers: has no suite of TLS 1.3, and min_version "
                "allows nothing older"},
        refusal{"tls.kernel_offload = \"on\"",
                "t:5:22: error: listener.tls.kernel_offload: must be one of \"auto\", \"off\""},
        refusal{"tls.kernel_offload = true",
                "t:5:22: error: listener.tls.kernel_offload: must be a string, not true or false"},
        refusal{"tls.strict_sni = 1",
                "t:5:18: error: listener.tls.strict_sni: must be true or false, not a number"}));

INSTANTIATE_TEST_SUITE_P(
    Auth, Refusals,
    ::testing::Values(
        refusal{"[auth.api_keys]\nheaders = []",
                "t:5:11: error: auth.api_keys.headers: must not be empty"},
        refusal{"[auth.api_keys]\nheaders = [\"authorization\", \"x-key\"]",
                "t:5:29: error: auth.api_keys.headers: must be one of \"x-api-key\", "
                "\"authorization\""},
        refusal{"[auth.api_keys]\nfile = 1",
                "t:5:8: error: auth.api_keys.file: must be a string, not a number"},
        refusal{"[auth.api_keys]\ncache = \"25h\"",
                "t:5:9: error: auth.api_keys.cache: must be from 1s to 1d"},
        refusal{"[auth.jwt]\nmain = 1",
                "t:5:8: error: auth.jwt.main: must be a table, not a number"},
        refusal{"[auth.jwt.main]\nissuer = \"\"\naudiences = [\"a\"]\njwks = { file = \"/j\" }",
                "t:5:10: error: auth.jwt.main.issuer: must not be empty"},
        refusal{"[auth.jwt.main]\nissuer = \"i\"\naudiences = []\njwks = { file = \"/j\" }",
                "t:6:13: error: auth.jwt.main.audiences: must not be empty"},
        refusal{"[auth.jwt.main]\nissuer = \"i\"\naudiences = [\"a\"]",
                "t:4:1: error: auth.jwt.main.jwks: required: { file = \"/path\" }, { url = "
                "\"https://...\" }, { discover = true } or { mint = true }"},
        refusal{"[auth.jwt.main]\nissuer = \"i\"\naudiences = [\"a\"]\njwks = {}",
                "t:7:8: error: auth.jwt.main.jwks: must be one of { file = \"/path\" }, { url = "
                "\"https://...\" }, { discover = true } and { mint = true }"},
        refusal{
            "[auth.jwt.main]\nissuer = \"i\"\naudiences = [\"a\"]\njwks = { mint = true }",
            "t:4:11: error: auth.jwt.main: jwks is { mint = true }, but there is no [auth.mint]"},
        refusal{"[auth.jwt.main]\nissuer = \"i\"\naudiences = [\"a\"]\njwks = { file = \"/j\" }\n"
                "algorithms = [\"none\"]",
                "t:8:15: error: auth.jwt.main.algorithms: must be one of \"RS256\", \"RS384\", "
                "\"RS512\", \"PS256\", \"PS384\", \"PS512\", \"ES256\", \"ES384\", \"ES512\", "
                "\"EdDSA\""},
        refusal{"[auth.mint]\nkey = { env = \"A=B\" }\nissuer = \"i\"\naudience = \"a\"",
                "t:5:15: error: auth.mint.key.env: must be a plain name"},
        refusal{
            "[auth.mint]\nkey = { env = \"K\" }\nissuer = \"i\"\naudience = \"a\"\nttl = \"0s\"",
            "t:8:7: error: auth.mint.ttl: must be from 1s to 366d"}));

INSTANTIATE_TEST_SUITE_P(
    LimitAndUpstream, Refusals,
    ::testing::Values(
        refusal{"[[limit]]\nname = \"l\"", "t:4:1: error: limit.rate: required"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"0/s\"",
                "t:6:8: error: limit.rate: must be a rate such as \"10/s\": a whole number from 1, "
                "then /s, /m or /h"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\nburst = 0",
                "t:7:9: error: limit.burst: must be from 1 to 1000000000"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\nby = \"ip\"",
                "t:7:6: error: limit.by: must be one of \"client.ip\", \"identity\", \"route\", "
                "\"country\", "
                "\"header:NAME\""},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\nby = \"route+route\"",
                "t:7:6: error: limit.by: names one thing twice"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\nby = \"header:x-org+header:X-Org\"",
                "t:7:6: error: limit.by: names one thing twice"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\n"
                "by = \"header:a+header:b+header:c+header:d+header:e\"",
                "t:7:6: error: limit.by: joins more than 4 headers"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\nby = \"country\"",
                "t:7:6: error: limit.by: \"country\" needs a [geo] table: who is to say where"},
        refusal{"[[limit]]\nname = \"l\"\nconcurrent = 0", "t:4:1: error: limit.rate: required"},
        refusal{"[[limit]]\nname = \"l\"\nconcurrent = 1000001",
                "t:6:14: error: limit.concurrent: must be from 0 to 1000000"},
        refusal{"[[limit]]\nname = \"l\"\nrate = \"1/s\"\ncost = \"bytes\"",
                "t:7:8: error: limit.cost: must be one of \"1\", \"request_bytes\""},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\n"
                "retry.attempts = 3",
                "t:7:18: error: upstream.retry.attempts: must be from 1 to 2"},
        refusal{"[[upstream]]\nname = \"u\"", "t:4:1: error: upstream.servers: required"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [\"127.0.0.1:80\"]",
                "t:6:12: error: upstream.servers: must be a list of tables, not a string"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"127.0.0.1:0\" }]",
                "t:6:24: error: upstream.servers.address: the port must be from 1 to 65535"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\", weight = 0 }]",
                "t:6:40: error: upstream.servers.weight: must be from 1 to 256"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\nhost = \"a b\"",
                "t:7:8: error: upstream.host: must be \"preserve\", \"upstream\" or a host such as "
                "\"api.example\""},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\n"
                "timeouts.total = \"0s\"",
                "t:7:18: error: upstream.timeouts.total: must be from 1ms to 7d"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\n"
                "unreachable_detail = 502",
                "t:7:22: error: upstream.unreachable_detail: must be a string, not a number"},
        refusal{long_detail, "t:7:22: error: upstream.unreachable_detail: has at most 1KiB"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\nretry.attempts = 0",
                "t:7:18: error: upstream.retry.attempts: must be from 1 to 2"},
        refusal{
            "[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\nprotocol = \"h3\"",
            "t:7:12: error: upstream.protocol: must be one of \"http/1.1\", \"h2\"; did you mean "
            "\"h2\"?"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\nprotocol = \"h2\"\n"
                "send_proxy = \"v1\"",
                "t:8:14: error: upstream.send_proxy: names one client for a connection, and with "
                "protocol = \"h2\" many share it"},
        refusal{"[[upstream]]\nname = \"u\"\nservers = [{ address = \"a:1\" }]\n"
                "pool.streams_per_connection = 0",
                "t:7:31: error: upstream.pool.streams_per_connection: must be from 1 to 10000"},
        refusal{"[security_headers]\nconnection = \"close\"",
                "t:5:1: error: security_headers.connection: frames the message or belongs to one "
                "connection; Ringward alone sets and removes it"},
        refusal{"[security_headers]\nx-a = \"a\\nb\"",
                "t:5:7: error: security_headers.x-a: must be printable ASCII on one line"}));

// Every key of the contract that is not built: refused by name when somebody wrote it.
TEST(RedirectToHttps, NeedsAListenerThatIsPlainAndOneWithTls) {
  const std::string secure =
      "[[listener]]\nname = \"s\"\naddress = \"127.0.0.1:1\"\n" + std::string(some_tls);
  EXPECT_THAT(after_listener("redirect_to_https = true\n" + secure), ElementsAre(no_route));
  EXPECT_TRUE(must_parse(std::string(with_listener) + "redirect_to_https = true\n" + secure)
                  .listeners[0]
                  .redirect_to_https);
  EXPECT_THAT(after_listener("redirect_to_https = true\n"),
              ElementsAre("t:1:1: error: listener.redirect_to_https: leads nowhere: no listener "
                          "has [listener.tls] at an IP address"));
  EXPECT_THAT(after_listener("redirect_to_https = true\n[[listener]]\nname = \"s\"\n"
                             "address = \"unix:/s\"\n" +
                             std::string(some_tls)),
              ElementsAre(::testing::HasSubstr("leads nowhere")));
  EXPECT_THAT(after_listener("redirect_to_https = true\n" + std::string(some_tls)),
              ElementsAre("t:4:21: error: listener.redirect_to_https: is for a plain listener, and "
                          "this one has [listener.tls]"));
}

TEST(NotYet, WhatAsksForNothingMayBeWritten) {
  EXPECT_THAT(after_listener(std::string(some_tls) + "proxy_protocol_from = []\n"
                                                     "redirect_to_https = false\n"
                                                     "[log]\naudit = { path = \"off\" }\n"
                                                     "[admin]\ncredential = \"off\"\n"),
              ElementsAre(no_route));
}

TEST(Warnings, SayWhatDoesNotAct) {
  EXPECT_THAT(
      after_listener("[[limit]]\nname = \"l\"\nrate = \"1/s\"\n[[upstream]]\nname = \"u\"\n"
                     "servers = [{ address = \"a:1\" }]\n[auth.jwt.a]\nissuer = \"i\"\n"
                     "audiences = [\"b\"]\njwks = { mint = true }\nmax_age = \"1m\"\n"
                     "[auth.mint]\nkey = { env = \"K\" }\nissuer = \"j\"\naudience = \"a\"\n"),
      ElementsAre(no_route, "t:5:8: warning: limit: no route uses \"l\"",
                  "t:8:8: warning: upstream: no route uses \"u\"",
                  "t:10:11: warning: auth.jwt.a: issuer is not that of [auth.mint]: its "
                  "tokens do not pass",
                  "t:10:11: warning: auth.jwt.a: audiences lacks the audience of "
                  "[auth.mint]: its tokens do not pass",
                  "t:10:11: warning: auth.jwt.a: max_age is less than the ttl of "
                  "[auth.mint]: its tokens do not pass",
                  "t:10:11: warning: auth.jwt: no route uses \"a\""));
}

TEST(Refuse, NothingToDo) {
  EXPECT_THAT(complaints(""), ElementsAre("t: error: there is no [[listener]]: nothing to do"));
}

TEST(Refuse, ManyMistakesAreCountedWhenTheyAreTooMany) {
  std::string text = "[server]\n";
  for (int i = 0; i < 1500; ++i) text += "k" + std::to_string(i) + " = 1\n";
  const auto lines = complaints(text);
  ASSERT_EQ(lines.size(), 1001U);
  EXPECT_EQ(lines.back(), "t: error: and 501 more");
}

}  // namespace
}  // namespace rw::config
