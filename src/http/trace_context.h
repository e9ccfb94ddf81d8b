// W3C Trace Context (Recommendation of 23 November 2021): the value of traceparent. Pure; any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rw::http {

// A value of version 00, "00-" trace-id "-" parent-id "-" flags, in place. Empty until it is made.
class trace_context {
 public:
  static constexpr std::size_t octets = 55;

  // Takes trace-id and flags over from `value`; false, and nothing has changed, when it is not one
  // (3.2.2: lengths, lower-case digits, no id of zeros alone, not version ff). Of a later version
  // what 00 knows of it is read (3.2.2.1). Of the flags `sampled` alone is kept: those that nobody
  // has defined must be zero (3.2.2.5.2). The parent-id is the sender's until set_parent().
  bool parse(std::string_view value) noexcept;
  // A trace that begins here, from random numbers. Sampled: whoever begins one says what became of
  // it, and the gate's record of it is its access line.
  void begin(std::uint64_t high, std::uint64_t low) noexcept;
  // The parent-id of what goes on from here. None of the numbers here may be 0.
  void set_parent(std::uint64_t id) noexcept;
  void clear() noexcept { text_[0] = '\0'; }

  // Empty when there is none; of `this`.
  std::string_view view() const noexcept { return part(0, octets); }
  std::string_view trace_id() const noexcept { return part(3, 32); }
  std::string_view parent_id() const noexcept { return part(36, 16); }

 private:
  std::string_view part(std::size_t at, std::size_t size) const noexcept {
    return {text_.data() + at, text_[0] != '\0' ? size : 0};
  }
  std::array<char, octets> text_{};
};

}  // namespace rw::http
