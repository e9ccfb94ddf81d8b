#include "http/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::http {
namespace {

const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string span = "00f067aa0ba902b7";

TEST(TraceContext, TakesOverTheTraceAndTheSampledFlag) {
  for (const auto& [given, flags] : {std::pair{"00", "00"},
                                     {"01", "01"},
                                     {"03", "01"},
                                     {"fe", "00"},
                                     {"ff", "01"},
                                     {"0b", "01"}}) {
    trace_context one;
    ASSERT_TRUE(one.parse("00-" + trace + "-" + span + "-" + given)) << given;
    EXPECT_EQ(one.trace_id(), trace);
    EXPECT_EQ(one.parent_id(), span);
    one.set_parent(0x0123456789abcdef);
    EXPECT_EQ(one.view(), "00-" + trace + "-0123456789abcdef-" + flags);
  }
}

// W3C 3.2.2.1, 4.3: by what version 00 has of it, and sent on as that.
TEST(TraceContext, ReadsLaterVersionsAsFarAsItKnowsThem) {
  for (const char* tail : {"", "-", "-what-comes"}) {
    trace_context one;
    ASSERT_TRUE(one.parse("cc-" + trace + "-" + span + "-01" + tail)) << tail;
    EXPECT_EQ(one.view(), "00-" + trace + "-" + span + "-01");
  }
}

TEST(TraceContext, RefusesWhatIsNotOneAndChangesNothing) {
  const std::string good = "00-" + trace + "-" + span + "-01";
  const auto with = [&good](std::size_t at, const std::string& text) {
    return std::string(good).replace(at, text.size(), text);
  };
  for (const std::string& bad : {std::string(),
                                 good + "-",
                                 good + "-x",
                                 good + " ",
                                 good.substr(0, 54),
                                 " " + good,
                                 with(0, "ff"),
                                 with(0, "0A"),
                                 with(0, "0g"),
                                 with(2, "_"),
                                 with(35, "_"),
                                 with(52, "_"),
                                 with(3, "4BF9"),
                                 with(3, "g"),
                                 with(3, std::string(32, '0')),
                                 with(36, std::string(16, '0')),
                                 with(36, "0F"),
                                 with(53, "0A"),
                                 with(53, "0x"),
                                 with(54, "-"),
                                 "cc" + good.substr(2) + "x",
                                 with(3, std::string(1, '\0'))}) {
    trace_context one;
    EXPECT_FALSE(one.parse(bad)) << bad;
    EXPECT_EQ(one.view(), "") << bad;
    EXPECT_EQ(one.trace_id(), "") << bad;
  }
}

TEST(TraceContext, BeginsASampledOneOfTheNumbers) {
  trace_context one;
  one.begin(0xfedcba9876543210, 1);
  one.set_parent(2);
  EXPECT_EQ(one.view(), "00-fedcba98765432100000000000000001-0000000000000002-01");
  trace_context again;
  EXPECT_TRUE(again.parse(one.view()));
  one.clear();
  EXPECT_EQ(one.view(), "");
  EXPECT_EQ(one.parent_id(), "");
}

}  // namespace
}  // namespace rw::http
