// Writes message heads (RFC 9112 3-5) into a buffer of the caller's. Never allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/date.h"
#include "http/status.h"

namespace rw::http {

// One head per writer; one thread. What does not fit is dropped and overflow() stays true: check it
// once, at the end. Text is written as it is: names, values, methods and paths must be valid, as
// the parser's are. For text of any other origin there is field_if_valid().
class head_writer {
 public:
  explicit head_writer(std::span<char> out) noexcept
      : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  // "GET /a?b HTTP/1.1". `query` has its '?', or is empty.
  void request_line(std::string_view method, std::string_view path,
                    std::string_view query) noexcept;
  // "HTTP/1.1 200 OK", with the registered phrase; `status` 100..599.
  void status_line(unsigned status) noexcept;
  // The same with somebody else's phrase.
  void status_line(unsigned status, std::string_view reason) noexcept;

  void field(std::string_view name, std::string_view value) noexcept;
  void field(std::string_view name, std::uint64_t value) noexcept;
  // Of a value that is put together: open_field(), any number of text() and number(),
  // close_field().
  void open_field(std::string_view name) noexcept;
  void text(std::string_view value) noexcept;
  void number(std::uint64_t value) noexcept;
  void close_field() noexcept { text("\r\n"); }

  // Writes nothing and answers false when the name or the value is not one (RFC 9110 5.1, 5.5).
  bool field_if_valid(std::string_view name, std::string_view value) noexcept;

  // The blank line.
  void end() noexcept { text("\r\n"); }

  bool overflow() const noexcept { return overflow_; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
  // What was written. Not a head when overflow().
  std::string_view view() const noexcept { return {begin_, size()}; }

 private:
  char* room(std::size_t octets) noexcept;

  char* begin_;
  char* at_;
  char* end_;
  bool overflow_ = false;
};

}  // namespace rw::http
