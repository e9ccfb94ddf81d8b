#include "auth/json.h"

#include <gtest/gtest.h>

#include <string>

namespace rw::auth {
namespace {

bool accepts(std::string_view text) {
  json_reader reader;
  return reader.parse(text).has_value();
}

TEST(Json, DepthIsCountedFromTheObjectItself) {
  for (std::size_t depth = 1; depth < 40; ++depth) {
    std::string text = "{\"a\":";
    text.append(depth - 1, '[');
    if (depth == 1) text += '1';
    text.append(depth - 1, ']');
    text += '}';
    EXPECT_EQ(accepts(text), depth <= json_depth_max) << depth;
  }
}

// The same reader, whatever it read before: simdjson keeps its depth when it grows.
TEST(Json, DepthHoldsAfterTheReaderHasGrown) {
  json_reader reader;
  EXPECT_TRUE(reader.parse("{}"));
  EXPECT_TRUE(reader.parse("{\"a\":\"" + std::string(100'000, 'x') + "\"}"));
  EXPECT_FALSE(reader.parse(R"({"a":[[[[[[[[1]]]]]]]]})"));
  EXPECT_TRUE(reader.parse(R"({"a":[[[[[[[1]]]]]]]})"));
}

TEST(Json, NamesAreComparedUnescapedAtEveryLevel) {
  EXPECT_TRUE(accepts(R"({"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]})"));
  EXPECT_FALSE(accepts(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(accepts(R"({"b":{"a":1,"x":0,"a":2}})"));
  EXPECT_FALSE(accepts(R"({"b":[[{"a":1,"\u0061":2}]]})"));
  EXPECT_FALSE(accepts(R"({"":1,"":2})"));
  EXPECT_FALSE(accepts("{\"a\\/\":1,\"a/\":2}"));
}

TEST(Json, ManyNamesAreStillCompared) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += "\"n" + std::to_string(i) + "\":1,";
  EXPECT_TRUE(accepts(text + "\"x\":1}"));
  EXPECT_FALSE(accepts(text + "\"n4711\":1}"));
}

TEST(Json, FindsMembersAfterADeepNeighbour) {
  json_reader reader;
  const auto object = reader.parse(R"({"x":{"y":"no"},"y":"yes","n":null})");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->find_string("y"), "yes");
  EXPECT_FALSE(object->find_string("x"));
  EXPECT_TRUE(object->contains("n"));
  EXPECT_FALSE(object->find("absent"));
}

TEST(Json, EmptyAndBlankAreNothing) {
  EXPECT_FALSE(accepts(""));
  EXPECT_FALSE(accepts(" "));
  EXPECT_FALSE(accepts("\xef\xbb\xbf{}"));
  EXPECT_FALSE(accepts("{}{}"));
  EXPECT_FALSE(accepts(std::string_view("{}\0", 3)));
  EXPECT_TRUE(accepts(" {} \n"));
}

}  // namespace
}  // namespace rw::auth
