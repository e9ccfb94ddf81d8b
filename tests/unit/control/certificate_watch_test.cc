#include "control/certificate_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace rw::control {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr wall_time now{1'700'000'000s};

struct world {
  certificate_watch watch;
  std::vector<observe::certificate_end> all = {{"listener", "https", "/c.pem", now + days{31}}};

  std::vector<std::string> at(nanoseconds later) {
    std::vector<std::string> texts;
    for (const auto& one : watch.look(all, now + later)) texts.push_back(one.text);
    return texts;
  }
};

TEST(CertificateWatch, SaysEachBoundOnce) {
  world w;
  const std::string of = "/c.pem: the certificate of listener https ";
  EXPECT_THAT(w.at(0s), IsEmpty());
  EXPECT_THAT(w.at(days{1}), IsEmpty()) << "30 days are left";
  EXPECT_THAT(w.at(days{1} + 1s), ElementsAre(of + "expires in 29 days"));
  EXPECT_THAT(w.at(days{2}), IsEmpty());
  EXPECT_THAT(w.at(days{24} + 1s), ElementsAre(of + "expires in 6 days"));
  EXPECT_THAT(w.at(days{29}), IsEmpty());
  EXPECT_THAT(w.at(days{30} + 1s), ElementsAre(of + "expires within a day"));
  EXPECT_THAT(w.at(days{31}), IsEmpty());
  EXPECT_THAT(w.at(days{31} + 1s), ElementsAre(of + "has expired"));
  EXPECT_THAT(w.at(days{60}), IsEmpty());
}

TEST(CertificateWatch, OneThatIsRenewedBeginsAnew) {
  world w;
  EXPECT_EQ(w.at(days{25}).size(), 1U);
  w.all[0].at = now + days{120};
  EXPECT_THAT(w.at(days{26}), IsEmpty());
  EXPECT_EQ(w.at(days{100}).size(), 1U);
}

TEST(CertificateWatch, TheNearestBoundIsSaidOfOneThatIsNew) {
  world w;
  EXPECT_THAT(w.at(days{29}),
              ElementsAre("/c.pem: the certificate of listener https expires in 2 days"));
}

TEST(CertificateWatch, AChainOfTwoListenersIsSaidOnce) {
  world w;
  w.all.push_back({"listener", "other", "/c.pem", w.all[0].at});
  w.all.push_back({"upstream", "origin", "/own.pem", now + days{20}});
  EXPECT_EQ(w.at(days{25}).size(), 2U);
  EXPECT_THAT(w.at(days{25}), IsEmpty());
}

TEST(CertificateWatch, AClockThatGoesBackSaysNothingTwice) {
  world w;
  EXPECT_EQ(w.at(days{25}).size(), 1U);
  EXPECT_THAT(w.at(0s), IsEmpty());
  EXPECT_THAT(w.at(days{20}), IsEmpty()) << "within 30 days, as was said";
}

}  // namespace
}  // namespace rw::control
