#include "upstream/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <deque>
#include <string>
#include <utility>

namespace rw::upstream {
namespace {

config::upstream_server written(std::string address, std::uint32_t weight) {
  return {.address = std::move(address), .at = {}, .weight = weight, .backup = weight == 3};
}

// What a resolver could have said.
class resolved {
 public:
  void add(const char* ip, std::uint16_t port) {
    sockaddr_storage& at = addresses_.emplace_back();
    addrinfo& one = list_.emplace_back();
    one.ai_addr = reinterpret_cast<sockaddr*>(&at);
    auto& v4 = reinterpret_cast<sockaddr_in&>(at);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(at);
    if (::inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
      v4.sin_port = htons(port);
      one.ai_family = AF_INET;
      one.ai_addrlen = sizeof v4;
    } else {
      EXPECT_EQ(::inet_pton(AF_INET6, ip, &v6.sin6_addr), 1) << ip;
      v6.sin6_port = htons(port);
      one.ai_family = AF_INET6;
      one.ai_addrlen = sizeof v6;
    }
    at.ss_family = static_cast<sa_family_t>(one.ai_family);
    if (list_.size() > 1) list_[list_.size() - 2].ai_next = &one;
  }
  const addrinfo* list() const { return &list_.front(); }

 private:
  std::deque<sockaddr_storage> addresses_;  // whose elements stay where they are
  std::deque<addrinfo> list_;
};

int port_of(const server& one) {
  return one.address.ss_family == AF_INET
             ? ntohs(reinterpret_cast<const sockaddr_in&>(one.address).sin_port)
             : ntohs(reinterpret_cast<const sockaddr_in6&>(one.address).sin6_port);
}

TEST(Server, AnAddressIsOneServerUnderTheNameItWasGiven) {
  const auto v4 = resolve(written("127.0.0.1:5001", 3));
  ASSERT_TRUE(v4);
  ASSERT_EQ(v4->size(), 1U);
  EXPECT_EQ(v4->front().name, "127.0.0.1:5001");
  EXPECT_EQ(v4->front().host, "127.0.0.1:5001");
  EXPECT_EQ(v4->front().weight, 3U);
  EXPECT_TRUE(v4->front().backup);
  EXPECT_EQ(v4->front().address.ss_family, AF_INET);
  EXPECT_EQ(v4->front().address_bytes, sizeof(sockaddr_in));
  EXPECT_EQ(port_of(v4->front()), 5001);

  const auto v6 = resolve(written("[::1]:5002", 1));
  ASSERT_TRUE(v6);
  ASSERT_EQ(v6->size(), 1U);
  EXPECT_EQ(v6->front().name, "[::1]:5002");
  EXPECT_EQ(v6->front().address.ss_family, AF_INET6);
  EXPECT_EQ(v6->front().address_bytes, sizeof(sockaddr_in6));
  EXPECT_EQ(port_of(v6->front()), 5002);
}

// A path is nothing that a Host field may have.
TEST(Server, AUnixSocketIsCalledLocalhostInHost) {
  const auto made = resolve(written("unix:/run/app.sock", 1));
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), 1U);
  EXPECT_EQ(made->front().name, "unix:/run/app.sock");
  EXPECT_EQ(made->front().host, "localhost");
  EXPECT_STREQ(reinterpret_cast<const sockaddr_un&>(made->front().address).sun_path,
               "/run/app.sock");
}

TEST(Server, WhatIsNoAddressIsInvalid) {
  for (const char* text : {"", "localhost", "127.0.0.1:", "::1:5001", "1.2.3:5001", "unix:app"}) {
    const auto made = resolve(written(text, 1));
    ASSERT_FALSE(made) << text;
    EXPECT_EQ(made.error().code, fault::invalid) << text;
    EXPECT_EQ(made.error().from, origin::configuration) << text;
  }
}

// RFC 6761 6.4: .invalid is nobody's; and without a resolver the answer is the same.
TEST(Server, ANameNobodyKnowsIsUnreachable) {
  const auto made = resolve(written("no-such-host.invalid:5001", 1));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, fault::unreachable);
}

TEST(Server, ANameIsCalledByEachOfItsAddresses) {
  const auto made = resolve(written("localhost:5001", 2));
  ASSERT_TRUE(made);
  bool has_v4 = false;
  for (const server& one : *made) {
    has_v4 |= one.name == "localhost:5001 (127.0.0.1)";
    EXPECT_TRUE(one.name == "localhost:5001 (127.0.0.1)" || one.name == "localhost:5001 (::1)")
        << one.name;
    EXPECT_EQ(one.host, "localhost:5001");
    EXPECT_EQ(one.weight, 2U);
    EXPECT_EQ(port_of(one), 5001);
  }
  EXPECT_TRUE(has_v4);
}

TEST(Server, EveryAddressOfANameIsAServer) {
  resolved answer;
  answer.add("::1", 5001);
  answer.add("127.0.0.1", 5001);
  const std::vector<server> made = servers_at(written("both:5001", 7), answer.list());
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[0].name, "both:5001 (::1)");
  EXPECT_EQ(made[0].address.ss_family, AF_INET6);
  EXPECT_EQ(made[0].address_bytes, sizeof(sockaddr_in6));
  EXPECT_EQ(made[1].name, "both:5001 (127.0.0.1)");
  EXPECT_EQ(made[1].address.ss_family, AF_INET);
  EXPECT_EQ(made[1].address_bytes, sizeof(sockaddr_in));
  for (const server& one : made) {
    EXPECT_EQ(one.host, "both:5001");
    EXPECT_EQ(one.weight, 7U);
    EXPECT_EQ(port_of(one), 5001);
  }
}

TEST(Server, AnAddressThatComesTwiceIsOneServer) {
  resolved answer;
  answer.add("127.0.0.1", 80);
  answer.add("::1", 80);
  answer.add("127.0.0.1", 80);
  EXPECT_EQ(servers_at(written("twice:80", 1), answer.list()).size(), 2U);
}

TEST(Server, ANameHasABoundedNumberOfAddresses) {
  resolved answer;
  for (int i = 1; i <= 40; ++i) answer.add(("192.0.2." + std::to_string(i)).c_str(), 80);
  const std::vector<server> made = servers_at(written("many:80", 1), answer.list());
  ASSERT_EQ(made.size(), addresses_per_name_max);
  EXPECT_EQ(made.front().name, "many:80 (192.0.2.1)");  // the resolver's first are its best
  EXPECT_EQ(made.back().name, "many:80 (192.0.2.16)");
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

TEST(Server, OtherFamiliesAreNoServers) {
  addrinfo strange{};
  strange.ai_family = AF_UNIX;
  EXPECT_TRUE(servers_at(written("strange:80", 1), &strange).empty());
  EXPECT_TRUE(servers_at(written("nothing:80", 1), nullptr).empty());
}

}  // namespace
}  // namespace rw::upstream
