#include "control/json_text.h"

#include <gtest/gtest.h>

namespace rw::control {
namespace {

TEST(JsonText, ObjectsAndArrays) {
  EXPECT_EQ(json_object().str(), "{}");
  EXPECT_EQ(json_array({}), "[]");
  EXPECT_EQ(json_object()
                .text("a", "x\"y\\z\n\x01")
                .number("b", -3)
                .flag("c", true)
                .put("d", json_array({"1", json_string("2")}))
                .str(),
            R"({"a":"x\"y\\z\u000a\u0001","b":-3,"c":true,"d":[1,"2"]})");
}

TEST(JsonText, LinesAreStrings) {
  EXPECT_EQ(json_lines(""), "[]");
  EXPECT_EQ(json_lines("one\n\ntwo\n"), R"(["one","two"])");
  EXPECT_EQ(json_lines("no end"), R"(["no end"])");
}

}  // namespace
}  // namespace rw::control
