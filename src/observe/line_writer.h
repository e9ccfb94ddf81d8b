// Appends to memory that is known to be large enough. Internal to observe/.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/text.h"

namespace rw::observe {

// What one octet becomes at most: \u00XX.
inline constexpr std::size_t escape_bytes_max = 6;

class line_writer {
 public:
  explicit line_writer(char* at) noexcept : begin_(at), at_(at) {}

  void text(std::string_view one) noexcept {
    if (one.empty()) return;  // its data may be null, which memcpy must not see
    std::memcpy(at_, one.data(), one.size());
    at_ += one.size();
  }
  void number(std::uint64_t value) noexcept { at_ = std::to_chars(at_, at_ + 20, value).ptr; }
  // As the inside of a JSON string.
  void escaped(std::string_view one) {
    if (one.empty() || is_plain(one)) {
      text(one);
      return;
    }
    std::string slow;
    append_json_escaped(slow, one);
    text(slow);
  }
  // A member of a JSON object after the first; `key` has the comma before it and, of a text, the
  // quote that opens it. A text that is empty is left out.
  void member(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    text(key);
    escaped(value);
    text("\"");
  }
  void member(std::string_view key, std::uint64_t value) noexcept {
    text(key);
    number(value);
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  static constexpr std::uint64_t ones = 0x0101010101010101;

  // In the top bit of each octet of `word`, whether it is zero. Octets above a zero may be wrong.
  static constexpr std::uint64_t zeros(std::uint64_t word) noexcept {
    return (word - ones) & ~word & (0x80 * ones);
  }
  static bool plain_word(std::uint64_t word) noexcept {
    const std::uint64_t control = (word - 0x20 * ones) & ~word;
    const std::uint64_t found = control | word | zeros(word ^ ('"' * ones)) |
                                zeros(word ^ ('\\' * ones)) | zeros(word ^ (0x7f * ones));
    return (found & (0x80 * ones)) == 0;
  }
  // Nothing to escape; eight octets at a time, the rest padded with spaces.
  static bool is_plain(std::string_view one) noexcept {
    std::uint64_t word = 0;
    for (; one.size() >= sizeof word; one.remove_prefix(sizeof word)) {
      std::memcpy(&word, one.data(), sizeof word);
      if (!plain_word(word)) return false;
    }
    word = 0x20 * ones;
    std::memcpy(&word, one.data(), one.size());  // inside the text, also when nothing is left
    return plain_word(word);
  }

  char* begin_;
  char* at_;
};

struct access_record;
void write_combined(const access_record& record, std::string_view time, std::string_view query,
                    std::string_view referer, line_writer& out);
void write_pretty(const access_record& record, std::string_view time, std::string_view query,
                  bool coloured, line_writer& out);

}  // namespace rw::observe
