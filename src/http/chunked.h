// The chunked transfer coding (RFC 9112 7.1), both ways. Pure; one decoder per body, one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/field.h"

namespace rw::http {

struct chunked_limits {
  std::uint32_t line_bytes = 256;  // a chunk's size, extensions and CRLF
  std::uint32_t trailer_bytes = 8U << 10U;
  std::uint32_t trailer_count = 100;
  underscores names = underscores::refused;  // of trailers
};

// Takes a body apart without copying it: data comes back as views into what was fed.
//
//   while (!input.empty() && decoder.state() == chunked_decoder::status::reading) {
//     const auto [consumed, data] = decoder.feed(input);
//     ... forward data if it is not empty ...
//     input.remove_prefix(consumed);
//   }
class chunked_decoder {
 public:
  enum class status : std::uint8_t {
    reading,  // more is to come
    done,     // the last chunk and the trailers are read; bytes beyond are the next message's
    refused   // malformed: see reason()
  };
  struct piece {
    std::size_t consumed = 0;  // octets of the input, `data` included
    std::string_view data;     // empty or part of a chunk; valid while the input is
  };

  explicit chunked_decoder(const chunked_limits& limits = {}) noexcept : limits_(limits) {}

  // Reads to the end of the first piece of data, or of the input, or of the body. While reading, it
  // consumes at least one octet of a non-empty input. Allocates only for trailers.
  piece feed(std::string_view input);

  status state() const noexcept { return status_; }
  // Why it was refused: a snake_case literal; the status to answer is 400 (502 for a response).
  const char* reason() const noexcept { return reason_; }

  // Octets of the current chunk that have not come yet. So many next octets of the stream may go
  // around feed(), by splice(2) for one; then say so with skip().
  std::uint64_t chunk_left() const noexcept { return at_ == at::data ? left_ : 0; }
  // `octets` <= chunk_left().
  void skip(std::uint64_t octets) noexcept;

  // When done: the trailer fields as validated "name: value\r\n" lines, without those that could
  // change how the message is framed, routed, authenticated or read (RFC 9110 6.5.1): of the names
  // that have a field_id only ETag stays. Valid as long as the decoder is. See next_trailer().
  std::string_view trailers() const noexcept { return trailers_; }

 private:
  enum class at : std::uint8_t {
    size_first,
    size,
    after_size,
    extension,
    name,
    after_name,
    value_first,
    value,
    quoted,
    escaped,
    quote_end,
    after_value,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer
  };
  void line_octet(char c) noexcept;
  void extension_octet(char c) noexcept;
  void end_size_line() noexcept;
  std::size_t trailer_octets(std::string_view input);
  void end_trailer_line();
  void refuse(const char* reason) noexcept;

  chunked_limits limits_;
  at at_ = at::size_first;
  status status_ = status::reading;
  std::uint8_t digits_ = 0;
  std::uint32_t line_ = 0;      // octets of the size line so far
  std::uint32_t overhead_ = 0;  // of all size lines so far
  std::uint32_t trailer_fields_ = 0;
  std::uint32_t trailer_octets_ = 0;
  std::uint32_t trailer_line_ = 0;  // offset in trailers_ of the line under way
  std::uint64_t left_ = 0;          // the chunk's size, then what of it has not come
  const char* reason_ = "";
  std::string trailers_;
};

// Takes the first line off `lines`, which came from trailers(); false at the end. For a forwarder
// that has names of its own to drop.
bool next_trailer(std::string_view& lines, field& out) noexcept;

// "1a\r\n".
struct chunk_head {
  std::array<char, 18> text;  // 16 digits, CRLF
  std::uint8_t size = 0;
  std::string_view view() const noexcept { return {text.data(), size}; }
};

// What goes before `octets` > 0 of data; chunk_end goes after them.
chunk_head make_chunk_head(std::uint64_t octets) noexcept;

inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n";  // then trailer lines, then chunk_end
inline constexpr std::string_view last_chunk_end = "0\r\n\r\n";  // when there are no trailers

}  // namespace rw::http
