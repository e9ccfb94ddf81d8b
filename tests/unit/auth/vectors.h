// The data files of tests/vectors/auth.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticate.h"
#include "auth/key_set.h"
#include "base/clock.h"
#include "config/config.h"

namespace rw::auth::testing {

inline std::string read_vector(std::string_view name) {
  const char* folder = std::getenv("RW_VECTORS");
  std::ifstream file(std::string(folder == nullptr ? "tests/vectors" : folder) + "/auth/" +
                     std::string(name));
  EXPECT_TRUE(file.is_open()) << name << ": set RW_VECTORS to tests/vectors";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

using row = std::vector<std::string>;

// Lines of fields between tabs.
inline std::vector<row> read_rows(std::string_view name) {
  std::vector<row> rows;
  std::istringstream lines(read_vector(name));
  for (std::string line; std::getline(lines, line);) {
    row fields;
    std::istringstream text(line);
    for (std::string field; std::getline(text, field, '\t');) fields.push_back(field);
    rows.push_back(std::move(fields));
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

inline key_set load_keys_or_die(std::string_view json) {
  config::diagnostics found;
  auto keys = load_key_set(json, "test", found);
  EXPECT_TRUE(keys.has_value()) << (found.empty() ? "" : found.front().text);
  return keys ? std::move(*keys) : key_set({});
}

// The moment the vectors are made for.
inline constexpr wall_time vectors_now{std::chrono::seconds(1'700'000'100)};

inline config::jwt_issuer vectors_issuer() {
  config::jwt_issuer out;
  out.name = "main";
  out.issuer = "https://issuer.example";
  out.audiences = {"api"};
  return out;
}

inline snapshot vectors_snapshot() {
  snapshot out;
  out.issuers.push_back(
      {.rules = token_rules(vectors_issuer()),
       .keys = std::make_shared<const key_set>(load_keys_or_die(read_vector("keys.jwks")))});
  return out;
}

inline presented bearer(std::string& storage, std::string_view token) {
  storage = "Bearer ";
  storage += token;
  return {.authorization = storage, .authorization_lines = 1};
}

}  // namespace rw::auth::testing
