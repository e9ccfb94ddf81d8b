#include "upstream/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string>
#include <utility>

#include "net/address.h"

namespace rw::upstream {
namespace {

config::upstream_server written(std::string address, std::uint32_t weight) {
  return {.address = std::move(address), .at = {}, .weight = weight, .backup = weight == 3};
}

config::ip16 ip(const char* text) {
  config::ip16 made{};
  EXPECT_TRUE(net::parse_ip(text, made)) << text;
  return made;
}

int port_of(const server& one) {
  return one.address.ss_family == AF_INET
             ? ntohs(reinterpret_cast<const sockaddr_in&>(one.address).sin_port)
             : ntohs(reinterpret_cast<const sockaddr_in6&>(one.address).sin6_port);
}

TEST(Server, AnAddressIsOneServerUnderTheNameItWasGiven) {
  const auto v4 = servers_of(written("127.0.0.1:5001", 3), {});
  ASSERT_TRUE(v4);
  ASSERT_EQ(v4->size(), 1U);
  EXPECT_EQ(v4->front().name, "127.0.0.1:5001");
  EXPECT_EQ(v4->front().host, "127.0.0.1:5001");
  EXPECT_EQ(v4->front().weight, 3U);
  EXPECT_TRUE(v4->front().backup);
  EXPECT_EQ(v4->front().address.ss_family, AF_INET);
  EXPECT_EQ(v4->front().address_bytes, sizeof(sockaddr_in));
  EXPECT_EQ(port_of(v4->front()), 5001);

  const auto v6 = servers_of(written("[::1]:5002", 1), {});
  ASSERT_TRUE(v6);
  ASSERT_EQ(v6->size(), 1U);
  EXPECT_EQ(v6->front().name, "[::1]:5002");
  EXPECT_EQ(v6->front().address.ss_family, AF_INET6);
  EXPECT_EQ(v6->front().address_bytes, sizeof(sockaddr_in6));
  EXPECT_EQ(port_of(v6->front()), 5002);
}

// A path is nothing that a Host field may have.
TEST(Server, AUnixSocketIsCalledLocalhostInHost) {
  const auto made = servers_of(written("unix:/run/app.sock", 1), {});
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), 1U);
  EXPECT_EQ(made->front().name, "unix:/run/app.sock");
  EXPECT_EQ(made->front().host, "localhost");
  EXPECT_STREQ(reinterpret_cast<const sockaddr_un&>(made->front().address).sun_path,
               "/run/app.sock");
}

TEST(Server, WhatIsNoAddressIsInvalid) {
  for (const char* text : {"", "localhost", "127.0.0.1:", "::1:5001", "1.2.3:5001", "unix:app"}) {
    const auto made = servers_of(written(text, 1), {});
    ASSERT_FALSE(made) << text;
    EXPECT_EQ(made.error().code, fault::invalid) << text;
    EXPECT_EQ(made.error().from, origin::configuration) << text;
  }
}

TEST(Server, ANameNobodyKnowsHasNoServer) {
  for (const address_book& known : {address_book{}, address_book{{"origin", {}}}}) {
    const auto made = servers_of(written("origin:5001", 1), known);
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->empty());
  }
}

TEST(Server, EveryAddressOfANameIsAServer) {
  const address_book known{{"both.example", {ip("::1"), ip("127.0.0.1")}}};
  const auto made = servers_of(written("Both.Example:5001", 7), known);
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), 2U);
  EXPECT_EQ(made->at(0).name, "Both.Example:5001 (::1)");
  EXPECT_EQ(made->at(0).address.ss_family, AF_INET6);
  EXPECT_EQ(made->at(0).address_bytes, sizeof(sockaddr_in6));
  EXPECT_EQ(made->at(1).name, "Both.Example:5001 (127.0.0.1)");
  EXPECT_EQ(made->at(1).address.ss_family, AF_INET);
  EXPECT_EQ(made->at(1).address_bytes, sizeof(sockaddr_in));
  for (const server& one : *made) {
    EXPECT_EQ(one.host, "Both.Example:5001");
    EXPECT_EQ(one.weight, 7U);
    EXPECT_EQ(port_of(one), 5001);
  }
}

TEST(Server, APortThatEverybodyExpectsIsNotNamed) {
  EXPECT_EQ(host_field("api.example:443", true), "api.example");
  EXPECT_EQ(host_field("api.example:80", false), "api.example");
  EXPECT_EQ(host_field("[::1]:443", true), "[::1]");
  EXPECT_EQ(host_field("api.example:443", false), "api.example:443");
  EXPECT_EQ(host_field("api.example:80", true), "api.example:80");
  EXPECT_EQ(host_field("api.example:8443", true), "api.example:8443");
  EXPECT_EQ(host_field("localhost", false), "localhost");
}

TEST(Server, ANameThatSeveralServersHaveIsLookedUpOnce) {
  config::upstream one;
  one.servers = {written("b.example:1", 1), written("A.example:2", 1), written("127.0.0.1:3", 1)};
  config::upstream other;
  other.servers = {written("a.example.:4", 1), written("unix:/run/x", 1)};
  config::configuration settings;
  settings.upstreams = {one, other};
  settings.redis.address = "cache.example:6379";
  EXPECT_EQ(host_names(settings), (std::vector<std::string>{"a.example", "b.example"}));
  settings.redis.present = true;
  EXPECT_EQ(host_names(settings),
            (std::vector<std::string>{"a.example", "b.example", "cache.example"}));
}

}  // namespace
}  // namespace rw::upstream
