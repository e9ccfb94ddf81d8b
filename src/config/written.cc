#include "config/written.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

namespace rw::config {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string value_text(const node& value) {
  if (const bool* is = value.as<bool>()) return *is ? "true" : "false";
  if (const auto* number = value.as<std::int64_t>()) return fmt::format("{}", *number);
  if (const double* number = value.as<double>()) return fmt::format("{}", *number);
  if (const std::string* text = value.as<std::string>()) return quoted(*text);
  if (value.as<date_or_time>() != nullptr) return "a date";
  std::vector<std::string> parts;
  if (const list* items = value.as<list>()) {
    for (const node& one : *items) parts.push_back(value_text(one));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  for (const member& one : *value.as<members>()) {
    parts.push_back(fmt::format("{} = {}", one.name, value_text(one.value)));
  }
  return fmt::format("{{ {} }}", fmt::join(parts, ", "));
}

void add_keys(written_table& to, const members& from, const std::string& prefix) {
  for (const member& one : from) {
    if (const members* below = one.value.as<members>()) {
      add_keys(to, *below, prefix + one.name + ".");
    } else {
      to.keys.emplace_back(prefix + one.name, value_text(one.value));
    }
  }
}

void add_table(written& to, std::string name, const members& from) {
  to.push_back({.name = std::move(name), .keys = {}});
  add_keys(to.back(), from, {});
  std::ranges::sort(to.back().keys);
}

void add_list(written& to, const std::string& kind, const list& from) {
  for (const node& one : from) {
    const members* table = one.as<members>();
    if (table == nullptr) continue;
    const member* name = find(*table, "name");
    const std::string* text = name != nullptr ? name->value.as<std::string>() : nullptr;
    add_table(to, text != nullptr ? kind + " " + *text : kind, *table);
  }
}

// `prefix`: of the tables that only hold others, "auth." and "auth.jwt.".
void add_tables(written& to, const members& from, const std::string& prefix) {
  for (const member& one : from) {
    const std::string name = prefix + one.name;
    if (const members* table = one.value.as<members>()) {
      if (name == "auth" || name == "auth.jwt") {
        add_tables(to, *table, name + ".");
      } else {
        add_table(to, name, *table);
      }
    } else if (const list* items = one.value.as<list>()) {
      add_list(to, name, *items);
    }
  }
}

const written_table* find_table(const written& in, std::string_view name) {
  const auto at = std::ranges::find(in, name, &written_table::name);
  return at == in.end() ? nullptr : &*at;
}

const std::string* find_key(const written_table& in, std::string_view key) {
  const auto at = std::ranges::find(in.keys, key, &std::pair<std::string, std::string>::first);
  return at == in.keys.end() ? nullptr : &at->second;
}

void add_changes(const written_table& was, const written_table& is,
                 std::vector<std::string>& lines) {
  for (const auto& [key, value] : was.keys) {
    const std::string* other = find_key(is, key);
    if (other != nullptr && *other == value) continue;
    lines.push_back(fmt::format("~ {}: {} {} -> {}", is.name, key, value,
                                other != nullptr ? *other : "not written"));
  }
  for (const auto& [key, value] : is.keys) {
    if (find_key(was, key) != nullptr) continue;
    lines.push_back(fmt::format("~ {}: {} not written -> {}", is.name, key, value));
  }
}

// The names of those of a kind that both have.
std::vector<std::string_view> order(const written& of, const written& other,
                                    std::string_view kind) {
  std::vector<std::string_view> names;
  for (const written_table& one : of) {
    const std::string_view name = one.name;
    if (name.starts_with(kind) && find_table(other, name) != nullptr) {
      names.push_back(name.substr(kind.size()));
    }
  }
  return names;
}

}  // namespace

written write_down(const members& root) {
  written all;
  add_tables(all, root, {});
  return all;
}

std::vector<std::string> differences(const written& before, const written& after) {
  std::vector<std::string> lines;
  for (const written_table& one : before) {
    if (find_table(after, one.name) == nullptr) lines.push_back("- " + one.name);
  }
  for (const written_table& one : after) {
    if (const written_table* was = find_table(before, one.name)) {
      add_changes(*was, one, lines);
    } else {
      lines.push_back("+ " + one.name);
    }
  }
  // The first route that matches is taken, and the first listener is the first socket.
  for (const std::string_view kind : {"listener ", "route "}) {
    const auto is = order(after, before, kind);
    if (is != order(before, after, kind)) {
      lines.push_back(fmt::format("~ the order of {}s: {}", kind.substr(0, kind.size() - 1),
                                  fmt::join(is, ", ")));
    }
  }
  return lines;
}

}  // namespace rw::config
