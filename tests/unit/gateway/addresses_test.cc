// The same configuration with the addresses that its names have by now.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "config/load.h"
#include "gateway/snapshot.h"
#include "net/address.h"
#include "tls/library.h"

namespace rw::gateway {
namespace {

constexpr const char* text = R"(
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[upstream]]
name = "named"
servers = [{ address = "api.example:8443", weight = 3 }, { address = "spare.example:8443", backup = true }]
  [upstream.tls]
  verify = false
[[upstream]]
name = "other"
servers = [{ address = "other.example:443" }, { address = "192.0.2.9:80" }]
  [upstream.tls]
  verify = false
  server_name = "origin.example"
)";

config::ip16 ip(const char* written) {
  config::ip16 made{};
  EXPECT_TRUE(net::parse_ip(written, made)) << written;
  return made;
}

class Addresses : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    random_init();
    ASSERT_TRUE(tls::library_init());
  }
  void SetUp() override {
    auto loaded = config::parse(text, "test");
    ASSERT_TRUE(loaded) << config::to_string(loaded.error().front());
    names_["api.example"] = {ip("192.0.2.1"), ip("192.0.2.2")};
    names_["spare.example"] = {ip("192.0.2.3")};
    names_["other.example"] = {ip("2001:db8::1")};
    snapshot_context with;
    with.labels = &labels_;
    with.names = &names_;
    auto made = make_snapshot(std::move(loaded->settings), with);
    ASSERT_TRUE(made) << config::to_string(made.error().front());
    first_ = made->state;
  }
  std::shared_ptr<const snapshot> again(const std::shared_ptr<const snapshot>& from) {
    return with_addresses(from, names_, from->auth, 1);
  }
  static std::vector<std::string> names_of(const upstream_plan& plan) {
    std::vector<std::string> all;
    for (const upstream::server& one : plan.servers) all.push_back(one.name);
    return all;
  }

  upstream::address_book names_;
  observe::label_names labels_;
  std::shared_ptr<const snapshot> first_;
};

TEST_F(Addresses, NothingIsMadeWhereNothingHasChanged) {
  EXPECT_EQ(again(first_), nullptr);
  names_["nobody.example"] = {ip("192.0.2.7")};
  EXPECT_EQ(again(first_), nullptr);
}

TEST_F(Addresses, ANewOneIsWhoTheNameIsToTlsAndHost) {
  names_["api.example"] = {ip("192.0.2.1"), ip("2001:db8::5")};
  names_["other.example"] = {ip("192.0.2.4")};
  const auto second = again(first_);
  ASSERT_NE(second, nullptr);
  const upstream_plan& named = second->upstreams[0];
  EXPECT_EQ(names_of(named), (std::vector<std::string>{"api.example:8443 (192.0.2.1)",
                                                       "api.example:8443 (2001:db8::5)",
                                                       "spare.example:8443 (192.0.2.3)"}));
  const upstream::server& made = named.servers[1];
  EXPECT_EQ(made.tls_name, "api.example");
  EXPECT_EQ(made.host, "api.example:8443");
  EXPECT_EQ(made.weight, 3U);
  EXPECT_FALSE(made.backup);
  EXPECT_EQ(net::to_endpoint(made.address).ip, ip("2001:db8::5"));
  EXPECT_EQ(net::to_endpoint(made.address).port, 8443);
  EXPECT_EQ(named.tls, first_->upstreams[0].tls);  // and with it sessions and connections
  EXPECT_TRUE(named.servers[2].backup);
  EXPECT_EQ(second->upstreams[1].servers[0].tls_name, "origin.example");
  EXPECT_EQ(second->upstreams[1].servers[1].name, "192.0.2.9:80");
}

TEST_F(Addresses, WhatIsKnownOfOneThatStaysStaysKnown) {
  const upstream_plan& before = first_->upstreams[0];
  before.servers[0].failures->add("a reason");
  before.health.set_drained(0, true, mono_time{std::chrono::hours{1}});
  names_["api.example"] = {ip("192.0.2.0"), ip("192.0.2.1")};
  const auto second = again(first_);
  ASSERT_NE(second, nullptr);
  const upstream_plan& after = second->upstreams[0];
  EXPECT_EQ(after.servers[1].failures, before.servers[0].failures);
  EXPECT_EQ(after.health.share(1), before.health.share(0));
  EXPECT_TRUE(after.health.at(1).drained());
  EXPECT_NE(after.health.share(0), before.health.share(0));
  EXPECT_EQ(after.health.share_common(), before.health.share_common());
  // The upstream that has not changed has all of it.
  EXPECT_EQ(second->upstreams[1].health.share(0), first_->upstreams[1].health.share(0));
}

TEST_F(Addresses, ANameWithoutOneIsSaidSo) {
  names_.erase("api.example");
  const auto second = again(first_);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->upstreams[0].without_address, std::vector<std::string>{"api.example:8443"});
  EXPECT_EQ(second->upstreams[0].servers.size(), 1U);
}

TEST_F(Addresses, HoweverManyFollowEachOtherOnlyTheFirstIsHeld) {
  auto last = first_;
  for (int i = 10; i < 20; ++i) {
    names_["api.example"] = {ip(("192.0.2." + std::to_string(i)).c_str())};
    last = again(last);
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(last->base, first_);
  }
  EXPECT_EQ(first_.use_count(), 2);
}

}  // namespace
}  // namespace rw::gateway
