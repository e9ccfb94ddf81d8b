#include "auth/json.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/secret.h"

namespace rw::auth {

std::optional<simdjson::dom::element> json_object::find(std::string_view name) const noexcept {
  for (const simdjson::dom::key_value_pair member : object_) {
    if (member.key == name) return member.value;
  }
  return {};
}

std::optional<std::string_view> json_object::find_string(std::string_view name) const noexcept {
  const auto element = find(name);
  std::string_view text;
  if (!element || element->get_string().get(text) != simdjson::SUCCESS) return {};
  return text;
}

std::span<char> json_reader::prepare(std::size_t bytes) {
  if (buffer_.size() < bytes + simdjson::SIMDJSON_PADDING) {
    buffer_.resize(bytes + simdjson::SIMDJSON_PADDING);
  }
  return std::span(buffer_).first(bytes);
}

std::optional<json_object> json_reader::parse(std::size_t bytes) {
  RW_ASSERT(buffer_.size() >= bytes + simdjson::SIMDJSON_PADDING);
  std::memset(buffer_.data() + bytes, 0, simdjson::SIMDJSON_PADDING);
  // simdjson stops here too, but does not count an empty container: is_strict() does.
  if (parser_.capacity() < bytes &&
      parser_.allocate(bytes, json_depth_max + 1) != simdjson::SUCCESS) {
    return {};
  }
  if (std::string_view(buffer_.data(), bytes).starts_with("\xef\xbb\xbf")) return {};
  simdjson::dom::element root;
  if (parser_.parse(buffer_.data(), bytes, false).get(root) != simdjson::SUCCESS) return {};
  simdjson::dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) return {};
  names_.clear();
  if (!is_strict(root, 1)) return {};
  return json_object(object);
}

std::optional<json_object> json_reader::parse(std::string_view text) {
  const std::span<char> room = prepare(text.size());
  std::ranges::copy(text, room.begin());
  return parse(text.size());
}

// names_ is a stack: each object sorts its own names at the top of it.
bool json_reader::is_strict(simdjson::dom::element container, std::size_t depth) {
  if (depth > json_depth_max) return false;
  const auto passes = [&](simdjson::dom::element value) {
    return (!value.is_array() && !value.is_object()) || is_strict(value, depth + 1);
  };
  if (container.is_array()) {
    const simdjson::dom::array list = container.get_array().value_unsafe();
    for (const simdjson::dom::element one : list) {
      if (!passes(one)) return false;
    }
    return true;
  }
  const auto first = static_cast<std::ptrdiff_t>(names_.size());
  const simdjson::dom::object object = container.get_object().value_unsafe();
  for (const auto member : object) {
    names_.push_back(member.key);
    if (!passes(member.value)) return false;
  }
  const auto own = std::ranges::subrange(names_.begin() + first, names_.end());
  std::ranges::sort(own);
  const bool unique = std::ranges::adjacent_find(own) == own.end();
  names_.erase(own.begin(), own.end());
  return unique;
}

void json_reader::wipe() noexcept {
  rw::wipe(buffer_.data(), buffer_.size());
  // Strings are unescaped into a buffer of simdjson's own, which it sizes like this.
  if (parser_.doc.string_buf != nullptr) {
    rw::wipe(parser_.doc.string_buf.get(), 5 * parser_.capacity() / 3);
  }
}

}  // namespace rw::auth
