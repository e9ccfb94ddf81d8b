// JSON from strangers, read strictly (RFC 8259, RFC 7515 4): every member is visited with its name
// unescaped, so a name given twice is seen however it is spelt. Included by .cc files alone: it
// brings simdjson with it.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace rw::auth {

inline constexpr std::size_t json_depth_max = 8;

// A view of one object inside a json_reader.
class json_object {
 public:
  explicit json_object(simdjson::dom::object object) : object_(object) {}

  // Nothing where there is no such member.
  std::optional<simdjson::dom::element> find(std::string_view name) const noexcept;
  bool contains(std::string_view name) const noexcept { return find(name).has_value(); }

  // Nothing where there is no such member or it is no string.
  std::optional<std::string_view> find_string(std::string_view name) const noexcept;

  simdjson::dom::object members() const noexcept { return object_; }

 private:
  simdjson::dom::object object_;
};

// A parser and its memory, reused from text to text: no allocation once it has seen the longest.
// One thread.
class json_reader {
 public:
  // Room for a text of `bytes` octets, followed by the padding simdjson wants. Ends the life of all
  // views into the former text.
  std::span<char> prepare(std::size_t bytes);

  // Parses the first `bytes` octets of what prepare() gave. Nothing for anything but exactly one
  // object: invalid UTF-8, a byte-order mark, something after the end, a name twice in one object
  // at any level, nesting deeper than json_depth_max, a number that fits neither 64 bits nor a
  // finite double. The object lives until the next prepare() or the end of the reader.
  std::optional<json_object> parse(std::size_t bytes);

  // prepare() and parse() of a copy.
  std::optional<json_object> parse(std::string_view text);

  // Overwrites the text and everything parsed from it.
  void wipe() noexcept;

 private:
  // No name twice in it or below it, nothing too deep.
  bool is_strict(simdjson::dom::element container, std::size_t depth);

  simdjson::dom::parser parser_;
  std::vector<char> buffer_;
  std::vector<std::string_view> names_;
};

}  // namespace rw::auth
