#include "config/document.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace rw::config {
namespace {

bool holds_tables(const node& value) {
  const list* items = value.as<list>();
  return items != nullptr && std::ranges::all_of(*items, [](const node& item) {
           return item.as<members>() != nullptr;
         });
}

void merge_below(members& into, members&& later, const std::string& prefix, report& out) {
  // Tables that only hold others, so that each of those may live in a file of its own.
  constexpr std::array<std::string_view, 2> holders{"auth", "auth.jwt"};
  for (member& one : later) {
    const auto same = std::ranges::find(into, one.name, &member::name);
    if (same == into.end()) {
      into.push_back(std::move(one));
      continue;
    }
    std::string key = prefix + one.name;
    const bool both_tables = same->value.as<members>() && one.value.as<members>();
    if (holds_tables(same->value) && holds_tables(one.value)) {
      std::ranges::move(std::get<list>(one.value.value),
                        std::back_inserter(std::get<list>(same->value.value)));
    } else if (both_tables && std::ranges::find(holders, key) != holders.end()) {
      merge_below(std::get<members>(same->value.value),
                  std::move(std::get<members>(one.value.value)), key + ".", out);
    } else {
      out.error(one.at, std::move(key),
                fmt::format("given twice; it is already at {}", out.describe(same->at)));
    }
  }
}

}  // namespace

// Here, where a member is a complete type.
node::node(place where) : at(where), value(false) {}
node::node(node&&) noexcept = default;
node& node::operator=(node&&) noexcept = default;
node::~node() = default;

const member* find(const members& table, std::string_view name) noexcept {
  const auto at = std::ranges::find(table, name, &member::name);
  return at == table.end() ? nullptr : &*at;
}

std::string_view type_name(const node& value) noexcept {
  // In the order of node::value's alternatives.
  constexpr std::array<std::string_view, 7> names{
      "true or false", "a number", "a fraction", "a string", "a date or time", "a list", "a table"};
  return names[value.value.index()];
}

void merge(members& into, members&& later, report& out) {
  merge_below(into, std::move(later), {}, out);
}

}  // namespace rw::config
