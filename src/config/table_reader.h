// Reads one TOML table into a struct: one call per key. Each call says the key's name, where its
// value goes and what it may be; what nobody asked for is an unknown key. So the list of calls is
// the schema, and adding a key is adding a line.
//
//   in.table("timeouts", [&](table_reader& timeouts) {
//     timeouts.duration("head", out.timeouts.head, {1ms, 1h});
//   });
//
// Each call leaves its target alone when the key is absent or wrong, and returns the value's node
// when the key was written and is right, so that the caller may look closer.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/document.h"

namespace rw::config {

enum class need : std::uint8_t { optional, required };

// Both ends included.
template <class T>
struct range {
  T min;
  T max;
};

// Which secrets a key takes.
enum class secret_form : std::uint8_t { plain, with_prefix };

class table_reader {
 public:
  // `key` is the table's dotted name, empty for the whole document; `at` is where it begins.
  table_reader(report& out, const members& table, place at, std::string key)
      : out_(out), table_(table), at_(at), key_(std::move(key)) {}
  table_reader(const table_reader&) = delete;
  table_reader& operator=(const table_reader&) = delete;

  const node* flag(std::string_view name, bool& out);
  const node* text(std::string_view name, std::string& out, need how = need::optional);
  const node* texts(std::string_view name, std::vector<std::string>& out,
                    need how = need::optional);
  const node* duration(std::string_view name, nanoseconds& out, range<nanoseconds> within);
  // "off" is 0.
  const node* duration_or_off(std::string_view name, nanoseconds& out, range<nanoseconds> within);
  const node* rate(std::string_view name, config::rate& out, need how = need::optional);
  // "off" is a count of 0.
  const node* rate_or_off(std::string_view name, config::rate& out);
  // A list of two whole numbers, the lower one first.
  const node* bounds(std::string_view name, std::uint32_t& min, std::uint32_t& max,
                     range<std::uint32_t> within);
  const node* fraction(std::string_view name, double& out, range<double> within);
  // "off" is none, where the secret is optional.
  const node* secret(std::string_view name, secret_source& out, need how = need::optional);

  template <std::unsigned_integral T>
  const node* number(std::string_view name, T& out, range<T> within) {
    std::uint64_t value = 0;
    const node* at = whole(name, value, {within.min, within.max});
    if (at != nullptr) out = static_cast<T>(value);
    return at;
  }

  // In octets.
  template <std::unsigned_integral T>
  const node* size(std::string_view name, T& out, range<T> within) {
    std::uint64_t value = 0;
    const node* at = octets(name, value, {within.min, within.max});
    if (at != nullptr) out = static_cast<T>(value);
    return at;
  }

  // One word of a fixed few.
  template <class T>
  const node* choice(std::string_view name, T& out,
                     std::initializer_list<std::pair<std::string_view, T>> words) {
    std::string word;
    const node* at = text(name, word);
    if (at == nullptr) return nullptr;
    std::vector<std::string_view> known;
    for (const auto& [one, value] : words) {
      if (one == word) {
        out = value;
        return at;
      }
      known.push_back(one);
    }
    refuse_word(*at, name, word, known);
    return nullptr;
  }

  // Calls `read(table_reader&)` when the table is there; false when it is not.
  template <class F>
  bool table(std::string_view name, F&& read) {
    const node* at = table_node(name);
    if (at != nullptr) read_node(*at, name, read);
    return at != nullptr;
  }

  // Calls `read(table_reader&)` for every table of the list, in order.
  template <class F>
  const node* tables(std::string_view name, F&& read, need how = need::optional) {
    const node* at = tables_node(name, how);
    if (at == nullptr) return nullptr;
    for (const node& item : std::get<list>(at->value)) read_node(item, name, read);
    return at;
  }

  // For a table whose keys its author chose: calls `read(const member&)` for each.
  template <class F>
  void each(F&& read) {
    takes_any_ = true;
    for (const member& one : table_) read(one);
  }

  // As table(), for a member seen by each(); an error when it is something else.
  template <class F>
  void table_of(const member& one, F&& read) {
    if (is_table(one.value, one.name)) read_node(one.value, one.name, read);
  }

  // The value of a member seen by each(), which is a secret's table.
  bool secret_of(const node& value, std::string_view name, secret_source& out, secret_form form);

  bool wrote(std::string_view name);  // and makes the name known
  // The same, but "" and false, which are what absence means, do not count.
  bool asked_for(std::string_view name);
  bool is_string(std::string_view name) const noexcept;
  place at() const noexcept { return at_; }
  place place_of(std::string_view name) const noexcept;  // of the key; of the table when absent
  std::string describe(place where) const { return out_.describe(where); }
  void missing(std::string_view name, std::string_view mend = {});
  void error(place at, std::string_view name, std::string text);
  void error(const node& at, std::string_view name, std::string text) {
    error(at.at, name, std::move(text));
  }
  // Where its value is; where the table begins when the key is absent.
  void error(std::string_view name, std::string text);
  void warning(place at, std::string_view name, std::string text);
  // The word at `at` is none of `known`.
  void refuse_word(const node& at, std::string_view name, std::string_view word,
                   std::span<const std::string_view> known);

  // Says which keys nobody asked for. Readers made by table() and tables() have it called for them.
  void finish();

 private:
  bool is_off(std::string_view name) const;
  template <class F>
  void read_node(const node& from, std::string_view name, F&& read) {
    table_reader inner(out_, std::get<members>(from.value), from.at, join(name));
    read(inner);
    inner.finish();
  }

  const node* value_of(std::string_view name, need how = need::optional);
  const node* table_node(std::string_view name);
  const node* tables_node(std::string_view name, need how);
  bool is_table(const node& value, std::string_view name);
  const node* whole(std::string_view name, std::uint64_t& out, range<std::uint64_t> within);
  const node* octets(std::string_view name, std::uint64_t& out, range<std::uint64_t> within);
  const node* refuse_type(const node& at, std::string_view name, std::string_view wanted);
  std::string join(std::string_view name) const;

  report& out_;
  const members& table_;
  place at_;
  std::string key_;
  std::vector<std::string_view> known_;
  bool takes_any_ = false;
};

}  // namespace rw::config
