// JSON for those who ask a gate with --json: an object or an array, member by member.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace rw::control {

inline std::string json_string(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out + '"';
}

class json_object {
 public:
  // `value` is JSON already.
  json_object& put(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}\"{}\":{}", text_.empty() ? "" : ",", key, value);
    return *this;
  }
  json_object& text(std::string_view key, std::string_view value) {
    return put(key, json_string(value));
  }
  json_object& flag(std::string_view key, bool value) { return put(key, value ? "true" : "false"); }
  json_object& number(std::string_view key, std::integral auto value) {
    return put(key, fmt::format("{}", value));
  }
  std::string str() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

// Of what is JSON already.
inline std::string json_array(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& one : items) out += (out.size() > 1 ? "," : "") + one;
  return out + "]";
}

// Each line a string.
inline std::string json_lines(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) items.push_back(json_string(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return json_array(items);
}

}  // namespace rw::control
