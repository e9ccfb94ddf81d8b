// Message heads of HTTP/1.0 and 1.1 (RFC 9112 2-6, RFC 9110 5-7): bytes in, values out. Pure: no
// I/O, no allocation, no clock; any thread. Strict: whatever two recipients could read in two ways
// is refused, with the status to answer and a reason for the log.
//
// A head is read in one call, or in several as its bytes come in:
//
//   std::size_t seen = 0;
//   for (;;) {
//     const outcome got = parse_request(buffer, seen, limits, head);
//     if (got.state != progress::partial) break;
//     seen = buffer.size();
//     ... append to the buffer ...
//   }
//
// However the bytes are cut, the answer after each of them is the same, and all calls together
// look at each byte a bounded number of times.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/field.h"
#include "http/method.h"

namespace rw::http {

// `size` and both `*_bytes` are octets. Each is a bound on what is accepted, partial input
// included.
struct head_limits {
  std::uint32_t head_bytes = 32U << 10U;   // from the first byte to the blank line -> 431
  std::uint32_t header_count = 100;        // -> 431; at most fields_max, more is taken as that
  std::uint32_t target_bytes = 8U << 10U;  // -> 414; requests only
};

enum class progress : std::uint8_t {
  complete,
  partial,  // nothing wrong so far: call again with more bytes
  refused   // and no bytes to come can change that
};

// `status` and `reason` are set when refused. `reason` is a snake_case literal for logs and
// counters; the set is closed and listed in tests/vectors/http/*.txt. For a response, `status` is
// 502.
struct outcome {
  progress state = progress::partial;
  std::uint16_t status = 0;
  const char* reason = "";
};

enum class framing : std::uint8_t {
  none,        // no body
  length,      // content_length octets, which may be 0
  chunked,     // see chunked.h
  until_close  // responses only
};

// Where an incomplete parse stopped. The parser's own; of no use to others.
struct parse_point {
  enum class stage : std::uint8_t { start, method, target, version, reason, name, value };
  const char* base = nullptr;  // the buffer the views point into
  std::uint32_t mark = 0;      // offset of the token or line under way
  std::uint32_t scanned = 0;   // offset up to which that token is known to be good
  std::uint32_t colon = 0;     // stage value: offset of the colon
  stage at = stage::start;
  std::uint8_t listed = 0;        // what Connection has named so far, as bits
  std::uint8_t listed_count = 0;  // and how many names
};

// What requests and responses share. All views point into the parsed buffer.
struct message_head {
  unsigned minor = 1;  // of HTTP/1.minor: 0 or 1
  framing body = framing::none;
  bool keep_alive = false;           // the connection may carry another message after this one
  bool has_upgrade = false;          // Upgrade is there, Connection lists it, and minor is 1
  bool accepts_trailers = false;     // `TE: trailers`, listed in Connection
  std::uint32_t size = 0;            // octets from the first byte to the end of the blank line
  std::uint64_t content_length = 0;  // the field's number where there is one, even if body is none
  std::uint64_t present = 0;         // mask_of() every field_id in `fields`
  field_list fields;
  parse_point point;

  bool has(field_id id) const noexcept { return (present & mask_of(id)) != 0; }
  // The first one, or nullptr.
  const field* find(field_id id) const noexcept;
  // The first one whose name is `name` in any case, or nullptr. For names without a field_id.
  const field* find(std::string_view name) const noexcept;
  // The first one's value; empty where there is none.
  std::string_view value(field_id id) const noexcept;
  unsigned count(field_id id) const noexcept;
  bool has_body() const noexcept {
    return body == framing::chunked || body == framing::until_close ||
           (body == framing::length && content_length > 0);
  }
};

struct request_head : message_head {
  method verb = method::other;
  bool expect_continue = false;  // wants a 100 before it sends the body; never set for HTTP/1.0
  std::string_view method_text;
  std::string_view target;     // as it came: visible ASCII without '#', otherwise unchecked
  std::string_view scheme;     // of an absolute-form target, in the client's case; else empty
  std::string_view authority;  // host[:port], the only one of Host and target; empty: 1.0 without
  std::string_view host;       // of the authority: no port, no trailing dot; "[::1]" with brackets
  std::string_view path;       // starts with '/', or is "*" (OPTIONS); raw: see path.h
  std::string_view query;      // from its '?' on; empty where there is no '?'

  // Makes every view point into a copy of the buffer that starts at `now`.
  void rebase(const char* now) noexcept;
};

struct response_head : message_head {
  std::uint16_t status = 0;  // 100..599
  std::string_view reason;   // may be empty

  void rebase(const char* now) noexcept;
};

// Reads one request head from the front of `input`, which may hold more than that.
// `already_seen`: 0 for a new head; else the size of `input` at the call before, whose answer was
// partial. That call must have been given the same `out`; the bytes it saw must be the same, but
// the buffer may have moved. When the answer is complete, all of `out` is set. When it is refused,
// method_text and target are set if they were read (for the log) and empty if not, nothing else
// counts. `out` is reusable at once.
//
// Beyond the RFCs: CONNECT is refused (501); one empty line before the request line is skipped;
// Content-Length may not pass 2^63-1; a Connection field may list at most 32 names, and neither
// Host nor Content-Length; the host has no percent-encoding; in the target every visible ASCII
// character but '#' is taken, since curl and browsers send {}|^`"<>[] raw in queries.
outcome parse_request(std::string_view input, std::size_t already_seen, const head_limits& limits,
                      request_head& out) noexcept;

// The same for a response to a request with method `asked`. Interim responses (1xx) are heads like
// others: the caller reads on for the final one. The space after the status code may be missing
// when the reason phrase is.
outcome parse_response(std::string_view input, std::size_t already_seen, const head_limits& limits,
                       method asked, response_head& out) noexcept;

}  // namespace rw::http
