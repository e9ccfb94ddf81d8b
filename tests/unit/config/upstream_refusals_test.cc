// What [[upstream]] refuses about health, balance, queue and budget, each with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace rw::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// `text` begins in line 6 of an upstream; what is wrong, line by line.
std::vector<std::string> upstream_with(std::string_view text, std::string_view server = "") {
  const std::string whole =
      "[[listener]]\nname = \"l\"\naddress = \"127.0.0.1:0\"\n[[upstream]]\n"
      "name = \"u\"\nservers = [{ address = \"127.0.0.1:1\"" +
      std::string(server) + " }]\n" + std::string(text) +
      "\n[[route]]\nname = \"r\"\npath = \"/\"\nupstream = \"u\"\nauth = []\n";
  std::vector<std::string> lines;
  const auto loaded = parse(whole, "t");
  for (const diagnostic& one : loaded ? loaded->warnings : loaded.error()) {
    lines.push_back(to_string(one));
  }
  return lines;
}

TEST(UpstreamRefusals, EveryBalanceIsTakenAndNoOther) {
  for (const char* good : {"p2c", "round_robin", "least_requests", "hash:client.ip",
                           "hash:identity", "hash:header:X-Session"}) {
    EXPECT_THAT(upstream_with("balance = \"" + std::string(good) + "\""), IsEmpty()) << good;
  }
  EXPECT_THAT(upstream_with("balance = \"round-robin\""),
              ElementsAre("t:7:11: error: upstream.balance: must be one of \"p2c\", "
                          "\"round_robin\", \"least_requests\", \"hash:client.ip\", "
                          "\"hash:identity\", \"hash:header:NAME\"; did you mean "
                          "\"round_robin\"?"));
  EXPECT_EQ(upstream_with("balance = \"hash:header:\"").size(), 1U);
  EXPECT_EQ(upstream_with("balance = \"hash:header:a b\"").size(), 1U);
}

TEST(UpstreamRefusals, ExpectIsTwoStatuses) {
  EXPECT_THAT(upstream_with("health = { path = \"/\", expect = [200, 204] }"), IsEmpty());
  for (const char* bad : {"[200]", "[99, 200]", "[300, 200]", "[200, 600]", "[200, 300, 400]"}) {
    EXPECT_THAT(upstream_with("health.expect = " + std::string(bad)),
                ElementsAre("t:7:17: error: upstream.health.expect: must be two numbers from 100 "
                            "to 599, the lower one first"))
        << bad;
  }
  EXPECT_THAT(upstream_with("health.expect = 200"),
              ElementsAre("t:7:17: error: upstream.health.expect: must be a list of two numbers, "
                          "not a number"));
}

TEST(UpstreamRefusals, ACheckIsByPathOrByTcp) {
  EXPECT_THAT(upstream_with("health.tcp = true"), IsEmpty());
  EXPECT_THAT(upstream_with("health = { path = \"/h\", tcp = true }"),
              ElementsAre("t:7:31: error: upstream.health.tcp: a server is checked by path or by "
                          "tcp, not both"));
  for (const char* bad : {"health", "/a b", "/a#b"}) {
    EXPECT_THAT(upstream_with("health.path = \"" + std::string(bad) + "\""),
                ElementsAre("t:7:15: error: upstream.health.path: must begin with / and have at "
                            "most 1024 printable characters"))
        << bad;
  }
}

TEST(UpstreamRefusals, NumbersHaveBounds) {
  struct bound {
    const char* text;
    const char* message;
  };
  for (const bound& one : {
           bound{"health.interval = \"99ms\"",
                 "upstream.health.interval: must be from 100ms to 1h"},
           bound{"health.rise = 0", "upstream.health.rise: must be from 1 to 100"},
           bound{"health.fall = 101", "upstream.health.fall: must be from 1 to 100"},
           bound{"health.slow_start = \"2h\"", "upstream.health.slow_start: must be from 0s to 1h"},
           bound{"health.eject_after = 1000001",
                 "upstream.health.eject_after: must be from 0 to 1000000"},
           bound{"health.eject_for = \"10ms\"",
                 "upstream.health.eject_for: must be from 100ms to 1d"},
           bound{"pool.queue = 65537", "upstream.pool.queue: must be from 0 to 65536"},
           bound{"pool.queue_timeout = \"2h\"",
                 "upstream.pool.queue_timeout: must be from 1ms to 1h"},
           bound{"retry.budget = 1.5", "upstream.retry.budget: must be from 0.0 to 1.0"},
       }) {
    const auto lines = upstream_with(one.text);
    ASSERT_EQ(lines.size(), 1U) << one.text;
    EXPECT_TRUE(lines[0].ends_with(one.message)) << lines[0];
  }
}

TEST(UpstreamRefusals, SomebodyIsNoBackup) {
  EXPECT_THAT(upstream_with("", ", backup = true"),
              ElementsAre("t:6:11: error: upstream.servers: not all of them can be backups"));
}

TEST(UpstreamRefusals, AServerIsNamedOnce) {
  EXPECT_THAT(upstream_with("", "}, { address = \"127.0.0.1:1\""),
              ElementsAre("t:6:52: error: upstream.servers.address: \"127.0.0.1:1\" is there "
                          "already; a weight gives it more"));
}

}  // namespace
}  // namespace rw::config
