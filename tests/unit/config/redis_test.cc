// [redis] and limit.shared: what is read, and what is refused with its place.
#include <gmock/gmock.h>

#include "config_text.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

// On line 4 of a configuration in which a limit, from line `limit_line` on, is shared.
std::string shared_by(std::string_view redis, std::string_view limit) {
  return std::string(with_listener) + std::string(redis) +
         "[[limit]]\nname = \"l\"\nrate = \"10/s\"\n" + std::string(limit) +
         "[[route]]\nname = \"r\"\npath = \"/\"\naction = \"respond\"\nstatus = 200\n"
         "auth = []\nlimits = [\"l\"]\n";
}

constexpr std::string_view exact = "shared = \"exact\"\n";

TEST(Redis, DefaultsAreTheContracts) {
  const configuration read = must_parse(shared_by("[redis]\n", exact));
  EXPECT_TRUE(read.redis.present);
  EXPECT_EQ(read.redis.address, "127.0.0.1:6379");
  EXPECT_FALSE(read.redis.has_tls);
  EXPECT_EQ(read.redis.ca, "system");
  EXPECT_EQ(read.redis.password.from, secret_source::kind::none);
  EXPECT_EQ(read.redis.timeout, 20ms);
  EXPECT_EQ(read.redis.on_loss, redis_loss::local);
  EXPECT_EQ(read.limits.at(0).shared, limit_sharing::exact);
  EXPECT_FALSE(must_parse(with_upstream).redis.present);
  EXPECT_EQ(must_parse(with_upstream).limits.at(0).shared, limit_sharing::off);
}

TEST(Redis, EveryFormOfAddressIsTaken) {
  const auto read = [](const std::string& address) {
    return must_parse(shared_by("[redis]\naddress = \"" + address + "\"\n", exact)).redis;
  };
  EXPECT_EQ(read("unix:/run/redis.sock").address, "unix:/run/redis.sock");
  EXPECT_EQ(read("cache.internal:6380").address, "cache.internal:6380");
  const redis secured = read("rediss://cache.internal:6380");
  EXPECT_EQ(secured.address, "cache.internal:6380");
  EXPECT_TRUE(secured.has_tls);
}

TEST(Redis, WhatIsWrongIsSaidWithItsPlace) {
  const auto redis = [](std::string_view line) {
    return complaints(shared_by("[redis]\n" + std::string(line) + "\n", exact));
  };
  EXPECT_THAT(redis("address = \"redis://localhost:6379\""),
              ElementsAre("t:5:11: error: redis.address: must be \"host:port\", \"unix:/path\" or "
                          "\"rediss://host:port\""));
  EXPECT_THAT(redis("address = \"localhost:6379/1\"").size(), 1U);
  EXPECT_THAT(redis("address = \"localhost:0\""),
              ElementsAre("t:5:11: error: redis.address: the port must be from 1 to 65535"));
  EXPECT_THAT(redis("address = \"localhost\""),
              ElementsAre("t:5:11: error: redis.address: the port is missing"));
  EXPECT_THAT(redis("address = \"rediss://unix:/run/redis.sock\"").size(), 1U);
  EXPECT_THAT(redis("ca = \"/etc/redis.pem\""),
              ElementsAre("t:5:6: error: redis.ca: is for an address with rediss://, which speaks "
                          "TLS"));
  EXPECT_THAT(
      redis("password = \"hunter2\""),
      ElementsAre("t:5:12: error: redis.password: a secret is never written here: give one "
                  "of { file = \"/path\" }, { credential = \"name\" } or { env = \"NAME\" }"));
  EXPECT_THAT(redis("timeout = \"11s\""),
              ElementsAre("t:5:11: error: redis.timeout: must be from 1ms to 10s"));
  EXPECT_THAT(redis("on_loss = \"open\""),
              ElementsAre("t:5:11: error: redis.on_loss: must be one of \"local\", \"reject\""));
}

TEST(Redis, WhatCannotBeSharedIsRefused) {
  EXPECT_THAT(complaints(shared_by("", exact)),
              ElementsAre("t:7:10: error: limit.shared: needs a [redis] table: that is where "
                          "gateways share a budget"));
  EXPECT_THAT(complaints(shared_by("[redis]\n", "concurrent = 5\nshared = \"leased\"\n")),
              ElementsAre("t:9:10: error: limit.shared: a limit with concurrent cannot be shared: "
                          "each gateway counts its own"));
  EXPECT_THAT(complaints(shared_by("[redis]\n", "shared = \"exact\"\ncost = \"request_bytes\"\n")),
              ElementsAre("t:8:10: error: limit.shared: a limit of request_bytes cannot be shared: "
                          "each gateway counts its own"));
  EXPECT_THAT(complaints(shared_by("[redis]\n", "shared = \"off\"\n")), IsEmpty());
  EXPECT_THAT(complaints(shared_by("[redis]\n", "shared = \"leased\"\n")), IsEmpty());
}

}  // namespace
}  // namespace rw::config
