// A TOML document as a tree in which every key and every value knows where it was written. The only
// part of config that sees toml++ is toml_text.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/report.h"

namespace rw::config {

struct node;
struct member;

using list = std::vector<node>;
using members = std::vector<member>;
struct date_or_time {};  // no key takes one

struct node {
  explicit node(place where = {});
  node(node&&) noexcept;
  node& operator=(node&&) noexcept;
  ~node();

  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(&value);
  }

  place at;
  std::variant<bool, std::int64_t, double, std::string, date_or_time, list, members> value;
};

struct member {
  std::string name;
  place at;  // of the name
  node value;
};

const member* find(const members& table, std::string_view name) noexcept;

// "a table", "a string", ... for messages.
std::string_view type_name(const node& value) noexcept;

// Parses one file's text; what is wrong goes to `out` under `file`. Never throws, whatever the
// octets.
members parse_toml(std::string_view text, std::uint32_t file, report& out);

// Adds a later file to the tables read so far: arrays of tables append, the tables that only hold
// others join, anything else given twice is an error that names both places.
void merge(members& into, members&& later, report& out);

}  // namespace rw::config
