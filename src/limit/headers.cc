#include "limit/headers.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/assert.h"

namespace rw::limit {

namespace {

class cursor {
 public:
  explicit cursor(std::span<char> out) noexcept : out_(out) {}
  void text(std::string_view s) noexcept {
    std::memcpy(out_.data() + used_, s.data(), s.size());
    used_ += s.size();
  }
  void number(std::uint64_t n) noexcept {
    const auto done = std::to_chars(out_.data() + used_, out_.data() + out_.size(), n);
    used_ = static_cast<std::size_t>(done.ptr - out_.data());
  }
  // A Structured Fields String: printable ASCII, with `"` and `\` escaped.
  void quoted(std::string_view s) noexcept {
    text("\"");
    for (const char c : s.substr(0, field_name_bytes_max)) {
      if (c == '"' || c == '\\') text("\\");
      const bool printable = c >= 0x20 && c < 0x7f;
      text(printable ? std::string_view(&c, 1) : std::string_view("?"));
    }
    text("\"");
  }
  std::size_t used() const noexcept { return used_; }

 private:
  std::span<char> out_;
  std::size_t used_ = 0;
};

constexpr std::uint64_t second_ns = 1'000'000'000;

std::uint64_t seconds_up(std::uint64_t ns) noexcept {
  return ns / second_ns + (ns % second_ns != 0 ? 1 : 0);
}

std::uint64_t seconds_up(nanoseconds d) noexcept {
  return seconds_up(static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0)));
}

// Structured Fields Integers have 15 digits.
constexpr std::uint64_t integer_max = 999'999'999'999'999;

}  // namespace

std::size_t write_policy(std::span<const field_item> items, std::span<char> out) noexcept {
  RW_ASSERT(out.size() >= items.size() * field_item_bytes_max);
  cursor at(out);
  for (const field_item& item : items) {
    if (at.used() != 0) at.text(", ");
    at.quoted(item.name);
    at.text(";q=");
    at.number(std::min(item.pace.burst, integer_max));
    at.text(";w=");
    at.number(seconds_up(item.pace.window_ns));
    if (item.in_bytes) at.text(";qu=\"content-bytes\"");
  }
  return at.used();
}

std::size_t write_state(std::span<const field_item> items, std::span<char> out) noexcept {
  RW_ASSERT(out.size() >= items.size() * field_item_bytes_max);
  cursor at(out);
  for (const field_item& item : items) {
    if (at.used() != 0) at.text(", ");
    at.quoted(item.name);
    at.text(";r=");
    at.number(std::min(item.decision.remaining, integer_max));
    at.text(";t=");
    at.number(seconds_up(item.decision.reset));
  }
  return at.used();
}

std::size_t write_retry_after(nanoseconds wait, std::span<char> out) noexcept {
  RW_ASSERT(out.size() >= retry_after_bytes_max);
  cursor at(out);
  at.number(std::max<std::uint64_t>(seconds_up(wait), 1));
  return at.used();
}

}  // namespace rw::limit
