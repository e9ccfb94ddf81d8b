#include "control/descriptors.h"

#include <gtest/gtest.h>

#include <list>

namespace rw::control {
namespace {

// What it points to is kept until the end of the test program.
gateway::upstream_plan origin(std::uint32_t in_flight, std::uint32_t idle,
                              std::size_t servers = 1) {
  static std::list<config::upstream> settings;
  config::upstream& one = settings.emplace_back();
  one.max_requests_in_flight = in_flight;
  one.idle_per_worker = idle;
  one.servers.resize(1);  // as configured: a name
  gateway::upstream_plan made;
  made.settings = &one;
  made.servers.resize(servers);
  return made;
}

TEST(ClientsMax, LeavesWhatTheOriginsMayNeed) {
  const gateway::upstream_plan one[] = {origin(4096, 64)};
  EXPECT_EQ(clients_max(20'000, 1, one), 20'000U - (512 + 64) - (4096 + 64));
  const gateway::upstream_plan two[] = {origin(100, 10, 3), origin(200, 20)};
  EXPECT_EQ(clients_max(20'000, 2, two), 20'000U - (512 + 128) - (100 + 60) - (200 + 40));
}

// It may have some by the time there are clients.
TEST(ClientsMax, AServerWithoutAnAddressCountsAsOne) {
  gateway::upstream_plan one[] = {origin(100, 10, 2)};
  one[0].without_address = {"origin.example:80"};
  EXPECT_EQ(clients_max(20'000, 1, one), 20'000U - (512 + 64) - (100 + 30));
}

// A client has at most one request under way.
TEST(ClientsMax, LeavesNoMoreThanOneForEachClient) {
  const gateway::upstream_plan one[] = {origin(1'000'000, 64)};
  EXPECT_EQ(clients_max(20'000, 1, one), (20'000U - 576) / 2);
}

TEST(ClientsMax, OfFewDescriptorsAQuarterIsTheGates) {
  const gateway::upstream_plan one[] = {origin(4096, 64)};
  EXPECT_EQ(clients_max(200, 1, one), 75U);
  EXPECT_EQ(clients_max(200, 64, one), 75U);
}

TEST(ClientsMax, NobodyForwardsWithoutOrigins) {
  EXPECT_EQ(clients_max(20'000, 1, {}), 20'000U - 576);
}

}  // namespace
}  // namespace rw::control
