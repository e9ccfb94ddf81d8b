#include "control/descriptors.h"

#include <gtest/gtest.h>

namespace rw::control {
namespace {

config::upstream origin(std::uint32_t in_flight, std::uint32_t idle, std::size_t servers = 1) {
  config::upstream made;
  made.max_requests_in_flight = in_flight;
  made.idle_per_worker = idle;
  made.servers.resize(servers);
  return made;
}

TEST(ClientsMax, LeavesWhatTheOriginsMayNeed) {
  const config::upstream one[] = {origin(4096, 64)};
  EXPECT_EQ(clients_max(20'000, 1, one), 20'000U - (512 + 64) - (4096 + 64));
  const config::upstream two[] = {origin(100, 10, 3), origin(200, 20)};
  EXPECT_EQ(clients_max(20'000, 2, two), 20'000U - (512 + 128) - (100 + 60) - (200 + 40));
}

// A client has at most one request under way.
TEST(ClientsMax, LeavesNoMoreThanOneForEachClient) {
  const config::upstream one[] = {origin(1'000'000, 64)};
  EXPECT_EQ(clients_max(20'000, 1, one), (20'000U - 576) / 2);
}

TEST(ClientsMax, OfFewDescriptorsAQuarterIsTheGates) {
  const config::upstream one[] = {origin(4096, 64)};
  EXPECT_EQ(clients_max(200, 1, one), 75U);
  EXPECT_EQ(clients_max(200, 64, one), 75U);
}

TEST(ClientsMax, NobodyForwardsWithoutOrigins) {
  EXPECT_EQ(clients_max(20'000, 1, {}), 20'000U - 576);
}

}  // namespace
}  // namespace rw::control
