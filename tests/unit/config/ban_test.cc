// [ban]
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_text.h"

namespace rw::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ban read_one(std::string_view text) {
  return must_parse(std::string(with_upstream) + std::string(text)).ban;
}

TEST(Ban, ActsOnlyWhenItIsWritten) {
  EXPECT_FALSE(read_one("").present);
  EXPECT_TRUE(read_one("[ban]\n").present);
}

TEST(Ban, HasTheDefaultsOfTheContract) {
  const ban one = read_one("[ban]\n");
  EXPECT_EQ(one.failures, 10U);
  EXPECT_EQ(one.within, 1min);
  EXPECT_EQ(one.lasts, 10min);
  EXPECT_EQ(one.weights.unauthorized, 1U);
  EXPECT_EQ(one.weights.forbidden, 1U);
  EXPECT_EQ(one.weights.malformed, 2U);
  EXPECT_EQ(one.weights.handshake, 1U);
  EXPECT_EQ(one.weights.expired, 0U);
  EXPECT_THAT(one.exempt, ElementsAre("127.0.0.0/8", "::1/128"));
}

TEST(Ban, TakesWhatIsWritten) {
  const ban one = read_one(
      "[ban]\nfailures = 3\nwithin = \"30s\"\nfor = \"2h\"\n"
      "weights = { unauthorized = 3, expired = 1, handshake = 0 }\n"
      "exempt = [\"10.0.0.0/8\"]\n");
  EXPECT_EQ(one.failures, 3U);
  EXPECT_EQ(one.within, 30s);
  EXPECT_EQ(one.lasts, 2h);
  EXPECT_EQ(one.weights.unauthorized, 3U);
  EXPECT_EQ(one.weights.expired, 1U);
  EXPECT_EQ(one.weights.handshake, 0U);
  EXPECT_EQ(one.weights.malformed, 2U);  // what is not named keeps its default
  EXPECT_THAT(one.exempt, ElementsAre("10.0.0.0/8"));
  EXPECT_THAT(read_one("[ban]\nexempt = []\n").exempt, IsEmpty());
}

TEST(Ban, RefusesWhatItCannotMean) {
  EXPECT_THAT(after_listener("[ban]\nfailures = 0\nwithin = \"0s\"\nfor = \"25h\"\n"),
              ElementsAre("t:5:12: error: ban.failures: must be from 1 to 100",
                          "t:6:10: error: ban.within: must be from 1s to 1d",
                          "t:7:7: error: ban.for: must be from 1s to 1d"));
  EXPECT_THAT(after_listener("[ban]\nweights = { malformed = 101, unauthorised = 1 }\n"),
              ElementsAre("t:5:25: error: ban.weights.malformed: must be from 0 to 100",
                          "t:5:30: error: ban.weights.unauthorised: unknown key; did you mean "
                          "\"unauthorized\"?"));
  EXPECT_THAT(after_listener("[ban]\nexempt = [\"10.0.0.1/8\", \"somebody\"]\n").size(), 2U);
}

}  // namespace
}  // namespace rw::config
