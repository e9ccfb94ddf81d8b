#include "observe/redaction.h"

#include <gtest/gtest.h>

#include <array>

namespace rw::observe {
namespace {

const std::array<std::string, 3> configured = {"authorization", "?token", "?api key"};

std::string redacted(std::string_view query) {
  std::string out;
  return redaction(configured).apply(query, out) ? out : std::string(query);
}

TEST(Redaction, ReplacesTheValueAndKeepsTheRest) {
  EXPECT_EQ(redacted("?a=1&token=secret&b=2"), "?a=1&token=***&b=2");
  EXPECT_EQ(redacted("?token=secret"), "?token=***");
  EXPECT_EQ(redacted("?token="), "?token=***");
  EXPECT_EQ(redacted("?token=a=b"), "?token=***");
  EXPECT_EQ(redacted("?token=x&token=y&"), "?token=***&token=***&");
}

TEST(Redaction, ComparesDecodedNames) {
  EXPECT_EQ(redacted("?%74oken=secret"), "?%74oken=***");
  EXPECT_EQ(redacted("?TOK%45N=secret"), "?TOK%45N=***");
  EXPECT_EQ(redacted("?api+key=s&api%20key=s"), "?api+key=***&api%20key=***");
  EXPECT_EQ(redacted("?toke=1&tokens=2&xtoken=3"), "?toke=1&tokens=2&xtoken=3");
  EXPECT_EQ(redacted("?toke%6=1&%=2&token%=3"), "?toke%6=1&%=2&token%=3");
}

// An origin may or may not take ';' for a separator: nothing of the secret shows in either case.
TEST(Redaction, HidesWhicheverWayTheOriginSplits) {
  EXPECT_EQ(redacted("?a=1;token=secret"), "?a=1;token=***");
  EXPECT_EQ(redacted("?token=sec;ret&b=2"), "?token=***&b=2");
  EXPECT_EQ(redacted("?token=sec;b=ret"), "?token=***");
}

TEST(Redaction, LeavesWhatHasNoValueAlone) {
  EXPECT_EQ(redacted("?token"), "?token");
  EXPECT_EQ(redacted("?"), "?");
  EXPECT_EQ(redacted(""), "");
  EXPECT_EQ(redacted("?authorization=1"), "?authorization=1");  // a header's name, no parameter's
  std::string out;
  EXPECT_FALSE(redaction().apply("?token=secret", out));
}

}  // namespace
}  // namespace rw::observe
