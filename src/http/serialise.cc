#include "http/serialise.h"

#include <charconv>
#include <cstring>

#include "http/field.h"

namespace rw::http {

namespace {

// Names and values are short: two overlapping moves of a fixed size cost a fraction of a call.
inline void copy(char* to, const char* from, std::size_t size) noexcept {
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

inline char* put(char* to, std::string_view text) noexcept {
  copy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

// Answers where `octets` may be written, or nullptr.
inline char* head_writer::room(std::size_t octets) noexcept {
  if (overflow_ || octets > static_cast<std::size_t>(end_ - at_)) {
    overflow_ = true;
    return nullptr;
  }
  return at_;
}

void head_writer::request_line(std::string_view method, std::string_view path,
                               std::string_view query) noexcept {
  char* to = room(method.size() + path.size() + query.size() + 12);
  if (to == nullptr) return;
  to = put(to, method);
  *to++ = ' ';
  to = put(put(to, path), query);
  at_ = put(to, " HTTP/1.1\r\n");
}

void head_writer::status_line(unsigned status) noexcept {
  status_line(status, reason_phrase(status));
}

void head_writer::status_line(unsigned status, std::string_view reason) noexcept {
  char* to = room(reason.size() + 15);
  if (to == nullptr) return;
  to = put(to, "HTTP/1.1 ");
  *to++ = static_cast<char>('0' + status / 100 % 10);
  *to++ = static_cast<char>('0' + status / 10 % 10);
  *to++ = static_cast<char>('0' + status % 10);
  *to++ = ' ';
  to = put(to, reason);
  at_ = put(to, "\r\n");
}

void head_writer::field(std::string_view name, std::string_view value) noexcept {
  char* to = room(name.size() + value.size() + 4);
  if (to == nullptr) return;
  to = put(to, name);
  to = put(to, ": ");
  to = put(to, value);
  at_ = put(to, "\r\n");
}

void head_writer::field(std::string_view name, std::uint64_t value) noexcept {
  open_field(name);
  number(value);
  close_field();
}

void head_writer::open_field(std::string_view name) noexcept {
  char* to = room(name.size() + 2);
  if (to != nullptr) at_ = put(put(to, name), ": ");
}

void head_writer::text(std::string_view value) noexcept {
  char* to = room(value.size());
  if (to != nullptr) at_ = put(to, value);
}

void head_writer::number(std::uint64_t value) noexcept {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  text({digits, static_cast<std::size_t>(end - digits)});
}

bool head_writer::field_if_valid(std::string_view name, std::string_view value) noexcept {
  if (!is_field_name(name) || !is_field_value(value)) return false;
  field(name, value);
  return true;
}

}  // namespace rw::http
