// Reads tests/vectors/http/*.txt; the format is described in the README beside them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rw::http::test {

struct vector_case {
  std::string where;               // file:line
  std::vector<std::string> words;  // verdict first
  std::vector<std::string> strings;
  std::map<std::string, std::string> expected;

  std::string input() const;  // all strings in one
  bool says(std::string_view word) const;
};

// Throws std::runtime_error on a file that is missing or malformed.
std::vector<vector_case> read_vectors(const std::string& name);

}  // namespace rw::http::test
