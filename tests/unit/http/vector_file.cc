#include "vector_file.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace rw::http::test {

namespace {

class line_reader {
 public:
  line_reader(std::string_view line, std::string where) : line_(line), where_(std::move(where)) {}

  void read_into(vector_case& one) {
    for (skip_blanks(); !line_.empty(); skip_blanks()) {
      if (line_.front() == '"') {
        one.strings.push_back(quoted());
        continue;
      }
      const std::string word{line_.substr(0, line_.find_first_of(" ="))};
      line_.remove_prefix(word.size());
      if (!line_.starts_with('=')) {
        one.words.push_back(word);
        continue;
      }
      line_.remove_prefix(1);
      one.expected[word] = line_.starts_with('"') ? quoted() : plain();
    }
  }

 private:
  void skip_blanks() {
    while (line_.starts_with(' ')) line_.remove_prefix(1);
  }

  std::string plain() {
    const std::string text{line_.substr(0, line_.find(' '))};
    line_.remove_prefix(text.size());
    return text;
  }

  [[noreturn]] void malformed() const { throw std::runtime_error(where_ + ": malformed"); }

  char escaped() {
    const char c = line_.empty() ? '\0' : line_.front();
    if (!line_.empty()) line_.remove_prefix(1);
    switch (c) {
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case '0':
        return '\0';
      case '\\':
      case '"':
        return c;
      default:
        break;
    }
    if (c != 'x' || line_.size() < 2) malformed();
    const std::string digits{line_.substr(0, 2)};
    line_.remove_prefix(2);
    return static_cast<char>(std::stoi(digits, nullptr, 16));
  }

  std::string quoted() {
    std::string text;
    line_.remove_prefix(1);
    while (!line_.starts_with('"')) {
      if (line_.empty()) malformed();
      const char c = line_.front();
      line_.remove_prefix(1);
      text += c == '\\' ? escaped() : c;
    }
    line_.remove_prefix(1);
    if (!line_.starts_with('*')) return text;
    line_.remove_prefix(1);
    std::string many;
    for (int n = std::stoi(plain()); n > 0; --n) many += text;
    return many;
  }

  std::string_view line_;
  std::string where_;
};

std::string directory() {
  const char* set = std::getenv("RW_VECTORS");
  return set != nullptr ? set : RW_VECTORS_IN_SOURCE;
}

}  // namespace

std::string vector_case::input() const {
  std::string all;
  for (const std::string& piece : strings) all += piece;
  return all;
}

bool vector_case::says(std::string_view word) const {
  for (const std::string& one : words) {
    if (one == word) return true;
  }
  return false;
}

std::vector<vector_case> read_vectors(const std::string& name) {
  std::ifstream file{directory() + "/http/" + name};
  if (!file) throw std::runtime_error("cannot read " + directory() + "/http/" + name);
  std::vector<vector_case> cases;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    const std::string where = name + ":" + std::to_string(number);
    if (line.front() != ' ') cases.push_back({.where = where});
    if (cases.empty()) throw std::runtime_error(where + ": malformed");
    line_reader{line, where}.read_into(cases.back());
  }
  return cases;
}

}  // namespace rw::http::test
