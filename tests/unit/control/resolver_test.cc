#include "control/resolver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "control/origin_names.h"
#include "net/address.h"

namespace rw::control {
namespace {

using namespace std::chrono_literals;

config::ip16 ip(const char* text) {
  config::ip16 made{};
  EXPECT_TRUE(net::parse_ip(text, made)) << text;
  return made;
}

std::vector<std::string> texts(const std::vector<config::ip16>& all) {
  std::vector<std::string> out;
  for (const config::ip16& one : all) out.emplace_back(net::endpoint_text(one).view());
  return out;
}

TEST(Resolver, ATtlIsHeldWithinASecondAndFiveMinutes) {
  EXPECT_EQ(bounded_ttl(-1s), 1s);
  EXPECT_EQ(bounded_ttl(0s), 1s);
  EXPECT_EQ(bounded_ttl(1s), 1s);
  EXPECT_EQ(bounded_ttl(30s), 30s);
  EXPECT_EQ(bounded_ttl(300s), 5min);
  EXPECT_EQ(bounded_ttl(301s), 5min);
  EXPECT_EQ(bounded_ttl(std::chrono::seconds(INT32_MAX)), 5min);
}

TEST(Resolver, AnAnswerIsTheSameInAnyOrderAndHasEachAddressOnce) {
  const auto one = tidy({ip("192.0.2.2"), ip("2001:db8::1"), ip("192.0.2.1"), ip("192.0.2.2")});
  const auto other = tidy({ip("2001:db8::1"), ip("192.0.2.1"), ip("192.0.2.2")});
  EXPECT_EQ(one, other);
  EXPECT_EQ(texts(one), (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
}

// An AAAA record of ::ffff:192.0.2.1 is the same host as an A record of 192.0.2.1.
TEST(Resolver, AMappedAddressIsTheIPv4One) {
  in6_addr mapped{};
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped), 1);
  config::ip16 as_v6{};
  std::copy_n(mapped.s6_addr, 16, as_v6.begin());
  EXPECT_EQ(tidy({as_v6, ip("192.0.2.1")}).size(), 1U);
}

TEST(Resolver, WhatNoOriginCanHaveIsLeftOut) {
  for (const char* text : {"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1",
                           "::", "ff02::1", "fe80::1", "febf::1"}) {
    EXPECT_TRUE(tidy({ip(text)}).empty()) << text;
  }
  for (const char* text :
       {"127.0.0.1", "10.0.0.1", "223.255.255.255", "::1", "fd00::1", "fec0::1"}) {
    EXPECT_EQ(tidy({ip(text)}).size(), 1U) << text;
  }
}

TEST(Resolver, AnAnswerIsBounded) {
  std::vector<config::ip16> all;
  for (unsigned i = 0; i < 4000; ++i) {
    config::ip16 one = ip("10.0.0.0");
    one[13] = static_cast<std::uint8_t>(i >> 8U);
    one[14] = static_cast<std::uint8_t>(i);
    all.push_back(one);
  }
  const auto kept = tidy(std::move(all));
  ASSERT_EQ(kept.size(), resolver::addresses_max);
  EXPECT_EQ(texts(kept).front(), "10.0.0.0");  // always the same ones of the same answer
  EXPECT_EQ(texts(kept).back(), "10.0.63.0");
}

TEST(Resolver, WhatHasChangedIsSaidByAddress) {
  const auto before = tidy({ip("192.0.2.1"), ip("192.0.2.2")});
  const auto after = tidy({ip("192.0.2.2"), ip("192.0.2.3"), ip("2001:db8::1")});
  EXPECT_EQ(difference(before, after), "+ 192.0.2.3, + 2001:db8::1, - 192.0.2.1");
  EXPECT_EQ(difference(after, after), "");
  EXPECT_EQ(difference({}, before), "+ 192.0.2.1, + 192.0.2.2");
}

TEST(Resolver, ANameMayChangeSoOftenAtOnceAndThenNowAndThen) {
  mono_time now{1h};
  change_allowance of(now);
  for (unsigned i = 0; i < change_allowance::at_once; ++i) EXPECT_TRUE(of.take(now));
  EXPECT_FALSE(of.take(now));
  EXPECT_FALSE(of.take(now + change_allowance::every - 1s));
  now += change_allowance::every;
  EXPECT_TRUE(of.take(now));
  EXPECT_FALSE(of.take(now));
  now += 3 * change_allowance::every + 1s;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(of.take(now));
  EXPECT_FALSE(of.take(now));
  now += 1000h;
  for (unsigned i = 0; i < change_allowance::at_once; ++i) EXPECT_TRUE(of.take(now));
  EXPECT_FALSE(of.take(now));
}

TEST(Resolver, AnAddressIsReadyForConnect) {
  const config::address v4 = net::to_socket_address(ip("192.0.2.1"), 443);
  EXPECT_EQ(v4.socket.ss_family, AF_INET);
  EXPECT_EQ(v4.length, sizeof(sockaddr_in));
  EXPECT_EQ(net::to_endpoint(v4.socket).ip, ip("192.0.2.1"));
  EXPECT_EQ(net::to_endpoint(v4.socket).port, 443);
  const config::address v6 = net::to_socket_address(ip("2001:db8::1"), 80);
  EXPECT_EQ(v6.socket.ss_family, AF_INET6);
  EXPECT_EQ(v6.length, sizeof(sockaddr_in6));
  EXPECT_EQ(net::to_endpoint(v6.socket).ip, ip("2001:db8::1"));
  EXPECT_EQ(net::to_endpoint(v6.socket).port, 80);
}

// On the real ring, and without a name server: what files and letters say. tests/system has the
// servers.
class Lookups : public ::testing::Test {
 protected:
  Lookups() {
    auto kernel = io::ring::create(64);
    EXPECT_TRUE(kernel);
    loop.emplace(std::move(*kernel), 1U << 20U);
    names.emplace(*loop);
  }
  result<resolved> ask(std::string_view name) {
    std::optional<result<resolved>> got;
    io::spawn(into(*names, name, loop->now() + 60s, got), gate);
    while (gate.inside() > 0) loop->turn();
    return *got;
  }
  static io::task<> into(resolver& by, std::string_view name, mono_time until,
                         std::optional<result<resolved>>& out) {
    out = co_await by.resolve(name, until);
  }
  std::optional<io::loop> loop;
  std::optional<resolver> names;
  io::gate gate;
};

TEST_F(Lookups, AnAddressInLettersIsItself) {
  const auto v4 = ask("192.0.2.7");
  ASSERT_TRUE(v4) << v4.error().text;
  EXPECT_EQ(texts(v4->addresses), std::vector<std::string>{"192.0.2.7"});
  EXPECT_TRUE(v4->local);
  EXPECT_EQ(v4->ttl, resolver::ttl_max);
}

TEST_F(Lookups, LocalhostIsHere) {
  const auto got = ask("localhost");
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_TRUE(got->local);
  for (const config::ip16& one : got->addresses) {
    EXPECT_TRUE(one == ip("127.0.0.1") || one == ip("::1")) << net::endpoint_text(one).view();
  }
}

TEST_F(Lookups, NamesBelowLocalhostAreHereToo) {
  const auto got = ask("api.localhost");
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(texts(got->addresses), (std::vector<std::string>{"::1", "127.0.0.1"}));
}

TEST_F(Lookups, ADeadlineThatHasComeEndsALookup) {
  std::optional<result<resolved>> got;
  io::spawn(into(*names, "origin.example.invalid", loop->now(), got), gate);
  while (gate.inside() > 0) loop->turn();
  ASSERT_FALSE(*got);
}

TEST_F(Lookups, EndCancelsWhatIsUnderWayAndWhatComes) {
  std::optional<result<resolved>> first;
  io::spawn(into(*names, "origin.example.invalid", loop->now() + 60s, first), gate);
  names->end();
  while (gate.inside() > 0) loop->turn();
  ASSERT_FALSE(*first);
  const auto later = ask("192.0.2.7");
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, fault::canceled);
}

}  // namespace
}  // namespace rw::control
