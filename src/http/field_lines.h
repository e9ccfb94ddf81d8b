// What heads and trailers share: field lines (RFC 9112 5) and the fields that decide about framing
// and the connection (RFC 9112 6, 9; RFC 9110 7.6.1). Internal to http/.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/head.h"

namespace rw::http {

inline outcome refuse(std::uint16_t status, const char* reason) noexcept {
  return {progress::refused, status, reason};
}

// Why an octet that may not stand in a line is refused.
const char* control_reason(char c) noexcept;

// Where a parse is. Kept apart from the head, where the compiler could not keep it in registers.
struct cursor {
  const char* begin;  // of the buffer
  const char* end;
  const char* mark;  // see parse_point
  const char* at;
  const char* colon;
  parse_point::stage now;
};

// See field::hop_by_hop; without what Connection lists.
bool is_hop_by_hop(field_id id) noexcept;

// Whether a trailer field goes on: see chunked_decoder::trailers().
inline bool may_be_trailer(field_id id) noexcept {
  return id == field_id::none || id == field_id::etag;
}

// A reason to refuse a Content-Length, or nullptr.
const char* read_content_length(std::string_view value, std::uint64_t& length) noexcept;

// `input` from its start.
inline cursor begin_at(std::string_view input) noexcept {
  const char* const begin = input.data();
  return {begin, begin + input.size(), begin, begin, begin, parse_point::stage::start};
}

// `input` from where an incomplete parse stopped.
cursor resume_at(std::string_view input, const parse_point& point) noexcept;

// Remembers where to go on.
outcome suspend(message_head& head, const cursor& where) noexcept;

// Goes on at `where`, whose stage is name or value; complete: the blank line was read, head.size is
// set and the fields have been looked at one by one, but not yet together.
outcome read_field_lines(cursor& where, std::uint32_t header_count, underscores names,
                         message_head& head) noexcept;

// Takes apart one line without its CRLF. A reason, or nullptr.
const char* split_field_line(std::string_view line, underscores names, field& out) noexcept;

// What Connection means for this head: keep_alive, has_upgrade, accepts_trailers, hop_by_hop.
void settle_connection(message_head& head) noexcept;

// A reason to refuse Transfer-Encoding and Content-Length as they are together, or nullptr.
const char* check_framing(const message_head& head) noexcept;

// Moves views from one buffer to another; views of anything else stay.
class view_mover {
 public:
  view_mover(const char* from, std::size_t size, const char* to) noexcept
      : from_(reinterpret_cast<std::uintptr_t>(from)), size_(size), to_(to) {}
  void operator()(std::string_view& view) const noexcept {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(view.data()) - from_;
    if (view.data() != nullptr && offset <= size_) view = {to_ + offset, view.size()};
  }

 private:
  std::uintptr_t from_;
  std::size_t size_;
  const char* to_;
};

void move_fields(message_head& head, const view_mover& move) noexcept;
void clear(message_head& head, const char* base) noexcept;

}  // namespace rw::http
