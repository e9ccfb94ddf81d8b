// Rules as data: the tables tests/vectors/auth/*.json, {"about": ..., "rows": [{"rule": ...,
// ...}]}.
#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "unit/auth/vectors.h"

namespace rw::auth::testing {

using simdjson::dom::element;

// Views live as long as the table.
class rule_table {
 public:
  explicit rule_table(std::string_view name) {
    element top;
    simdjson::dom::array list;
    const bool good = parser_.parse(read_vector(name)).get(top) == simdjson::SUCCESS &&
                      top["rows"].get_array().get(list) == simdjson::SUCCESS;
    EXPECT_TRUE(good) << name;
    if (!good) return;
    for (const element one : list) rows_.push_back(one);
    EXPECT_FALSE(rows_.empty()) << name;
  }

  const std::vector<element>& rows() const noexcept { return rows_; }

 private:
  simdjson::dom::parser parser_;
  std::vector<element> rows_;
};

inline bool has(element row, std::string_view member) {
  return row[member].error() == simdjson::SUCCESS;
}

// Of a member that must be there, and be text.
inline std::string text_of(element row, std::string_view member) {
  std::string_view text;
  EXPECT_EQ(row[member].get_string().get(text), simdjson::SUCCESS) << member << " of " << row;
  return std::string(text);
}

inline std::uint64_t number_of(element row, std::string_view member) {
  std::uint64_t number = 0;
  EXPECT_EQ(row[member].get_uint64().get(number), simdjson::SUCCESS) << member << " of " << row;
  return number;
}

inline std::vector<std::string> texts_of(element row, std::string_view member) {
  std::vector<std::string> texts;
  simdjson::dom::array list;
  EXPECT_EQ(row[member].get_array().get(list), simdjson::SUCCESS) << member << " of " << row;
  for (const element one : list) {
    std::string_view text;
    EXPECT_EQ(one.get_string().get(text), simdjson::SUCCESS) << row;
    texts.emplace_back(text);
  }
  return texts;
}

// A rule that lets everything pass, or nothing, is not one that was tried.
class both_ways {
 public:
  void count(element row, bool accepted) {
    auto& [yes, no] = seen_[text_of(row, "rule")];
    ++(accepted ? yes : no);
  }
  ~both_ways() {
    for (const auto& [rule, seen] : seen_) {
      EXPECT_GT(seen.first, 0) << rule;
      EXPECT_GT(seen.second, 0) << rule;
    }
  }

 private:
  std::map<std::string, std::pair<int, int>> seen_;
};

}  // namespace rw::auth::testing
