#include "control/memory_bound.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rw::control {
namespace {

config::configuration simple() {
  config::configuration made;
  made.listeners.emplace_back().max_connections = 1000;
  made.listeners.back().protocols = {"http/1.1"};
  made.upstreams.emplace_back().max_requests_in_flight = 100;
  made.upstreams.back().servers.resize(2);
  return made;
}

TEST(MemoryBound, CountsClientsWithThoseWhoMakeRoom) {
  config::configuration of = simple();
  EXPECT_EQ(bound_memory(of, 1, 5000, 0).clients, 1000U + 62 + 8);
  EXPECT_EQ(bound_memory(of, 1, 160, 0).clients, 160U + 10 + 8);
  of.listeners.emplace_back().max_connections = 1000;
  EXPECT_EQ(bound_memory(of, 1, 5000, 0).clients, 2000U + 125 + 8);
}

TEST(MemoryBound, GrowsWithWhateverTheConfigurationLetsGrow) {
  const config::configuration plain = simple();
  const memory_bound before = bound_memory(plain, 1, 5000, 0);
  const auto grows = [&](auto change) {
    config::configuration other = simple();
    change(other);
    return bound_memory(other, 1, 5000, 0).total() - before.total();
  };
  EXPECT_EQ(grows([](auto& c) { c.server.buffers_bytes *= 2; }), plain.server.buffers_bytes);
  EXPECT_EQ(grows([](auto& c) { c.limits.push_back({.rate = {.count = 1}, .capacity = 1000}); }),
            16'000U);
  EXPECT_EQ(grows([](auto& c) {
              c.limits.push_back({.rate = {.count = 1}, .concurrent = 5, .capacity = 1000});
            }),
            32'000U);
  EXPECT_EQ(grows([](auto& c) { c.listeners[0].max_connections_per_client = 5; }), 262'144U * 16);
  EXPECT_EQ(grows([](auto& c) { c.ban.present = true; }), 2U * 65'536 * 16);
  EXPECT_GT(grows([](auto& c) { c.redis.present = true; }), 2U << 20U);
  EXPECT_EQ(grows([](auto& c) { c.jwt.emplace_back().replay_by_jti = true; }), 262'144U * 16);
  EXPECT_GE(grows([](auto& c) { c.listeners[0].limits.head_bytes = 256U << 10U; }),
            before.clients * (200U << 10U));
  EXPECT_GT(grows([](auto& c) { c.listeners[0].has_tls = true; }), before.clients * 4096);
  EXPECT_GT(grows([](auto& c) { c.upstreams[0].max_requests_in_flight = 200; }), 100U * 65'536);
  EXPECT_GT(grows([](auto& c) { c.upstreams[0].idle_per_worker += 10; }), 20U * 1024);
  EXPECT_EQ(bound_memory(plain, 3, 5000, 0).workers, 3 * before.workers);
  EXPECT_EQ(bound_memory(plain, 1, 5000, 77).total() - before.total(), 77U);
}

TEST(MemoryBound, StreamsOfHttp2AreClientsOfTheirOwn) {
  config::configuration of = simple();
  EXPECT_EQ(bound_memory(of, 2, 5000, 0).streams, 0U);
  of.listeners[0].protocols = {"h2"};
  of.upstreams[0].max_requests_in_flight = 1'000'000;
  const memory_bound made = bound_memory(of, 2, 5000, 0);
  EXPECT_EQ(made.streams, 1000U);
  EXPECT_GT(made.each_stream, 64U << 10U);
  EXPECT_EQ(made.requests, made.clients + 1000);
  EXPECT_GE(made.workers - bound_memory(simple(), 2, 5000, 0).workers,
            2 * of.server.buffers_bytes);  // by which their windows may grow
  of.listeners[0].max_connections = 1'000'000;
  EXPECT_EQ(bound_memory(of, 2, 5000, 0).streams, 2U * 8192);
}

// A client of HTTP/1.1 has at most one request under way.
TEST(MemoryBound, NoMoreRequestsThanClients) {
  config::configuration of = simple();
  of.upstreams[0].max_requests_in_flight = 1'000'000;
  const memory_bound made = bound_memory(of, 1, 5000, 0);
  EXPECT_EQ(made.requests, made.clients);
}

TEST(MemoryBound, SaysWhatItIsMadeOf) {
  memory_bound of{.at_start = 1U << 20U, .clients = 3, .each_client = 1U << 20U};
  EXPECT_THAT(describe(of),
              testing::StartsWith("memory: at most 4 MiB whatever clients do: 1 now, "));
  EXPECT_THAT(describe(of), testing::HasSubstr("3 for 3 clients"));
  EXPECT_GT(resident_bytes(), 1U << 20U);
}

}  // namespace
}  // namespace rw::control
