// Configurations for tests, and what Ringward says about them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace rw::config {

inline std::string vector_path(const std::string& name) {
  const char* root = std::getenv("RW_VECTORS");
  return std::string(root == nullptr ? "tests/vectors" : root) + "/config/" + name;
}

inline std::vector<std::string> lines_of(const diagnostics& list) {
  std::vector<std::string> out;
  for (const diagnostic& one : list) out.push_back(to_string(one));
  return out;
}

// Every line that Ringward prints about `text`, errors and warnings; the file is called "t".
inline std::vector<std::string> complaints(std::string_view text) {
  const auto read = parse(text, "t");
  return lines_of(read ? read->warnings : read.error());
}

// On line 1 to 3, so that what a test adds begins on line 4.
inline constexpr std::string_view with_listener = R"([[listener]]
name = "a"
address = "127.0.0.1:0"
)";

// With everything that a route may refer to; what a test adds begins on line 18.
inline constexpr std::string_view with_upstream = R"([[listener]]
name = "a"
address = "127.0.0.1:0"
[[upstream]]
name = "origin"
servers = [{ address = "127.0.0.1:5001" }]
[auth.api_keys]
[[limit]]
name = "per-ip"
rate = "10/s"
[[route]]
name = "used"
path = "/used"
upstream = "origin"
limits = ["per-ip"]
auth = ["api_keys"]

)";

inline std::vector<std::string> after_listener(std::string_view text) {
  return complaints(std::string(with_listener) + std::string(text));
}

inline std::vector<std::string> after_upstream(std::string_view text) {
  return complaints(std::string(with_upstream) + std::string(text));
}

inline configuration must_parse(std::string_view text) {
  auto read = parse(text, "t");
  EXPECT_TRUE(read) << (read ? "" : to_string(read.error().front()));
  return read ? std::move(read->settings) : configuration{};
}

}  // namespace rw::config
