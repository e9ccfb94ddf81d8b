#include "config/table_reader.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "config/nearest.h"
#include "config/values.h"

namespace rw::config {
namespace {

// A name as part of a message: keys may be of any length.
std::string_view shortened(std::string_view name) { return name.substr(0, 64); }

}  // namespace

std::string table_reader::join(std::string_view name) const {
  return key_.empty() ? std::string(shortened(name)) : fmt::format("{}.{}", key_, shortened(name));
}

bool table_reader::wrote(std::string_view name) {
  known_.push_back(name);
  return find(table_, name) != nullptr;
}

bool table_reader::is_string(std::string_view name) const noexcept {
  const member* one = find(table_, name);
  return one != nullptr && one->value.as<std::string>() != nullptr;
}

place table_reader::place_of(std::string_view name) const noexcept {
  const member* one = find(table_, name);
  return one == nullptr ? at_ : one->at;
}

bool table_reader::asked_for(std::string_view name) {
  if (!wrote(name)) return false;
  const node& value = find(table_, name)->value;
  const std::string* text = value.as<std::string>();
  const bool* flag = value.as<bool>();
  return (text == nullptr || !text->empty()) && (flag == nullptr || *flag);
}

void table_reader::error(place at, std::string_view name, std::string text) {
  out_.error(at, name.empty() ? key_ : join(name), std::move(text));
}

void table_reader::error(std::string_view name, std::string text) {
  const member* one = find(table_, name);
  error(one == nullptr ? at_ : one->value.at, name, std::move(text));
}

void table_reader::warning(place at, std::string_view name, std::string text) {
  out_.warning(at, name.empty() ? key_ : join(name), std::move(text));
}

void table_reader::missing(std::string_view name, std::string_view mend) {
  error(at_, name, mend.empty() ? "required" : fmt::format("required: {}", mend));
}

void table_reader::refuse_word(const node& at, std::string_view name, std::string_view word,
                               std::span<const std::string_view> known) {
  error(at, name,
        fmt::format("must be one of \"{}\"{}", fmt::join(known, "\", \""),
                    did_you_mean(word, known)));
}

const node* table_reader::refuse_type(const node& at, std::string_view name,
                                      std::string_view wanted) {
  error(at, name, fmt::format("must be {}, not {}", wanted, type_name(at)));
  return nullptr;
}

const node* table_reader::value_of(std::string_view name, need how) {
  known_.push_back(name);
  const member* one = find(table_, name);
  if (one == nullptr && how == need::required) missing(name);
  return one == nullptr ? nullptr : &one->value;
}

const node* table_reader::flag(std::string_view name, bool& out) {
  const node* at = value_of(name);
  if (at == nullptr) return nullptr;
  const bool* value = at->as<bool>();
  if (value == nullptr) return refuse_type(*at, name, "true or false");
  out = *value;
  return at;
}

const node* table_reader::text(std::string_view name, std::string& out, need how) {
  const node* at = value_of(name, how);
  if (at == nullptr) return nullptr;
  const std::string* value = at->as<std::string>();
  if (value == nullptr) return refuse_type(*at, name, "a string");
  if (value->empty() && how == need::required) {
    error(*at, name, "must not be empty");
    return nullptr;
  }
  // It would end the text early wherever C or the kernel reads it.
  if (value->contains('\0')) {
    error(*at, name, "must not contain U+0000");
    return nullptr;
  }
  out = *value;
  return at;
}

const node* table_reader::texts(std::string_view name, std::vector<std::string>& out, need how) {
  const node* at = value_of(name, how);
  if (at == nullptr) return nullptr;
  const list* items = at->as<list>();
  if (items == nullptr) return refuse_type(*at, name, "a list of strings");
  if (items->empty() && how == need::required) {
    error(*at, name, "must not be empty");
    return nullptr;
  }
  std::vector<std::string> values;
  for (const node& item : *items) {
    const std::string* value = item.as<std::string>();
    if (value == nullptr) return refuse_type(item, name, "a list of strings");
    if (value->empty() || value->contains('\0')) {
      error(item, name, "a string of the list is empty or contains U+0000");
      return nullptr;
    }
    values.push_back(*value);
  }
  out = std::move(values);
  return at;
}

const node* table_reader::duration(std::string_view name, nanoseconds& out,
                                   range<nanoseconds> within) {
  std::string written;
  const node* at = text(name, written);
  if (at == nullptr) return nullptr;
  const auto value = parse_duration(written);
  if (!value) {
    error(*at, name, "must be a duration such as \"30s\": a whole number and ms, s, m, h or d");
    return nullptr;
  }
  if (*value < within.min || *value > within.max) {
    error(
        *at, name,
        fmt::format("must be from {} to {}", duration_text(within.min), duration_text(within.max)));
    return nullptr;
  }
  out = *value;
  return at;
}

const node* table_reader::duration_or_off(std::string_view name, nanoseconds& out,
                                          range<nanoseconds> within) {
  if (!is_off(name)) return duration(name, out, within);
  out = nanoseconds{0};
  return value_of(name);
}

bool table_reader::is_off(std::string_view name) const {
  const member* one = find(table_, name);
  const std::string* word = one == nullptr ? nullptr : one->value.as<std::string>();
  return word != nullptr && *word == "off";
}

const node* table_reader::rate_or_off(std::string_view name, config::rate& out) {
  if (!is_off(name)) return rate(name, out);
  out = {};
  return value_of(name);
}

const node* table_reader::rate(std::string_view name, config::rate& out, need how) {
  std::string written;
  const node* at = text(name, written, how);
  if (at == nullptr) return nullptr;
  const auto value = parse_rate(written);
  if (!value) {
    error(*at, name, "must be a rate such as \"10/s\": a whole number from 1, then /s, /m or /h");
    return nullptr;
  }
  out = *value;
  return at;
}

const node* table_reader::fraction(std::string_view name, double& out, range<double> within) {
  const node* at = value_of(name);
  if (at == nullptr) return nullptr;
  std::optional<double> value;
  if (const double* written = at->as<double>()) value = *written;
  if (const std::int64_t* written = at->as<std::int64_t>()) value = static_cast<double>(*written);
  if (!value) return refuse_type(*at, name, "a number");
  if (!(*value >= within.min && *value <= within.max)) {  // NaN fails both
    error(*at, name, fmt::format("must be from {:.1f} to {:.1f}", within.min, within.max));
    return nullptr;
  }
  out = *value;
  return at;
}

const node* table_reader::bounds(std::string_view name, std::uint32_t& min, std::uint32_t& max,
                                 range<std::uint32_t> within) {
  const node* at = value_of(name);
  if (at == nullptr) return nullptr;
  const list* items = at->as<list>();
  if (items == nullptr) return refuse_type(*at, name, "a list of two numbers");
  std::vector<std::int64_t> numbers;
  for (const node& one : *items) {
    const std::int64_t* value = one.as<std::int64_t>();
    if (value == nullptr) return refuse_type(one, name, "a number");
    numbers.push_back(*value);
  }
  if (numbers.size() != 2 || numbers[0] < within.min || numbers[0] > numbers[1] ||
      numbers[1] > within.max) {
    error(*at, name,
          fmt::format("must be two numbers from {} to {}, the lower one first", within.min,
                      within.max));
    return nullptr;
  }
  min = static_cast<std::uint32_t>(numbers[0]);
  max = static_cast<std::uint32_t>(numbers[1]);
  return at;
}

const node* table_reader::whole(std::string_view name, std::uint64_t& out,
                                range<std::uint64_t> within) {
  const node* at = value_of(name);
  if (at == nullptr) return nullptr;
  const std::int64_t* value = at->as<std::int64_t>();
  if (value == nullptr) return refuse_type(*at, name, "a number");
  if (*value < 0 || static_cast<std::uint64_t>(*value) < within.min ||
      static_cast<std::uint64_t>(*value) > within.max) {
    error(*at, name, fmt::format("must be from {} to {}", within.min, within.max));
    return nullptr;
  }
  out = static_cast<std::uint64_t>(*value);
  return at;
}

const node* table_reader::octets(std::string_view name, std::uint64_t& out,
                                 range<std::uint64_t> within) {
  std::string written;
  const node* at = text(name, written);
  if (at == nullptr) return nullptr;
  const auto value = parse_size(written);
  if (!value) {
    error(*at, name, "must be a size such as \"64KiB\": a whole number and B, KiB, MiB or GiB");
    return nullptr;
  }
  if (*value < within.min || *value > within.max) {
    error(*at, name,
          fmt::format("must be from {} to {}", size_text(within.min), size_text(within.max)));
    return nullptr;
  }
  out = *value;
  return at;
}

bool table_reader::is_table(const node& value, std::string_view name) {
  if (value.as<members>() != nullptr) return true;
  refuse_type(value, name, "a table");
  return false;
}

const node* table_reader::table_node(std::string_view name) {
  const node* at = value_of(name);
  return at != nullptr && is_table(*at, name) ? at : nullptr;
}

const node* table_reader::tables_node(std::string_view name, need how) {
  const node* at = value_of(name, how);
  if (at == nullptr) return nullptr;
  const list* items = at->as<list>();
  if (items == nullptr) return refuse_type(*at, name, "a list of tables");
  if (items->empty() && how == need::required) {
    error(*at, name, "must not be empty");
    return nullptr;
  }
  for (const node& item : *items) {
    if (item.as<members>() == nullptr) return refuse_type(item, name, "a list of tables");
  }
  return at;
}

void table_reader::finish() {
  if (takes_any_) return;
  for (const member& one : table_) {
    if (std::ranges::find(known_, one.name) != known_.end()) continue;
    error(one.at, one.name, fmt::format("unknown key{}", suggestion(one.name, known_)));
  }
}

}  // namespace rw::config
