// Header sections of HTTP/2 (RFC 9113 8.2, 8.3): decoded fields in, the same request_head out that
// an HTTP/1.1 head gives, or an answer's head as text. Pure; one thread. At least as strict as
// head.h: what is taken here can be written to an HTTP/1.1 origin, and reads there as the one
// request that it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"

namespace rw::http {

enum class section_kind : std::uint8_t { request, request_trailers, response, response_trailers };

// Collects one header section, field by field, and keeps its memory for the next one.
//
//   section.start(limits);
//   section.add(name, value);  // in the order they come; what is too much is not kept
//   got = section.make_request(home, ends, head);
//
// An outcome is complete or refused, with the status to answer and a reason as of parse_request();
// status 0 stands for a malformed request (RFC 9113 8.1.1), which is a stream error, not an answer.
class h2_section {
 public:
  // Trailers may have no pseudo-header fields (RFC 9113 8.1).
  void start(const head_limits& limits, section_kind kind = section_kind::request);
  void add(std::string_view name, std::string_view value);

  // How large the text is that make_request() writes.
  std::size_t text_bytes() const noexcept;
  // Writes the text to `home` and makes views of it, with out.size octets. `ends`: there is no
  // body. Without Content-Length a body is framing::chunked: its length is not known beforehand.
  // Several Cookie fields become one (RFC 9113 8.2.3). When it is refused, method_text and target
  // are set if they are good.
  outcome make_request(char* home, bool ends, request_head& out) const;

  // As the head of an HTTP/1.1 answer would be, with the blank line; refused with 502 and nothing
  // written, where it breaks the protocol. `status`: set when it is complete.
  outcome make_response(std::string& text, unsigned& status) const;
  bool has_length() const noexcept { return (present_ & mask_of(field_id::content_length)) != 0; }
  std::uint64_t content_length() const noexcept { return content_length_; }

  // As "name: value\r\n" lines, without those that chunked_decoder::trailers() would leave out.
  // Writes nothing when refused.
  outcome make_trailers(std::string& lines) const;

 private:
  struct piece {
    std::uint32_t at = 0;  // in text_
    std::uint32_t size = 0;
    bool there = false;
    std::string_view in(const char* text) const noexcept { return {text + at, size}; }
  };
  struct line {
    piece name;
    piece value;
    field_id id = field_id::none;
  };
  piece keep(std::string_view text);
  void add_pseudo(std::string_view name, std::string_view value);
  void refuse(std::uint16_t status, const char* reason) noexcept;
  const char* check_field(field_id id, std::string_view name, std::string_view value);
  outcome read_control_data(request_head& out, const char* text) const;
  const char* settle_authority(request_head& out, const char* text) const;
  outcome settle_body(bool ends, request_head& out) const;
  std::size_t write_cookies(char* at) const;

  head_limits limits_;
  section_kind kind_ = section_kind::request;
  outcome refused_;  // the first reason there was, if there was one
  std::string text_;
  std::vector<line> lines_;
  piece method_;
  piece scheme_;
  piece authority_;
  piece path_;
  piece status_;
  std::uint64_t present_ = 0;
  std::uint64_t content_length_ = 0;
  unsigned cookies_ = 0;
  std::size_t cookie_bytes_ = 0;
};

}  // namespace rw::http
