#include <cstring>

#include "http/field_lines.h"
#include "http/head.h"
#include "http/scan.h"
#include "http/status.h"

namespace rw::http {

namespace {

using stage = parse_point::stage;

constexpr std::ptrdiff_t fixed_bytes = 12;  // "HTTP/1.1 200"

outcome complete() noexcept { return {.state = progress::complete}; }

void start(response_head& head, const char* base) noexcept {
  clear(head, base);
  head.status = 0;
  head.reason = {};
}

// Octet by octet, so that a piece is refused as soon as it cannot become right.
outcome check_fixed(const char* at, const char* end) noexcept {
  static constexpr char pattern[] = "HTTP/1.0 000";
  for (std::ptrdiff_t i = 0; i < fixed_bytes; ++i, ++at) {
    if (at == end) return {};
    const char c = *at;
    const bool digit = c >= '0' && c <= '9';
    if (i >= 9) {
      if (!digit || (i == 9 && (c < '1' || c > '5'))) return refuse(502, "bad_status");
    } else if (i == 7 ? !digit : c != pattern[i]) {
      return refuse(502, i == 5 && digit ? "unsupported_version" : "bad_version");
    } else if (i == 7 && c > '1') {
      return refuse(502, "unsupported_version");
    }
  }
  return complete();
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// The same for what nearly all responses start with.
bool is_fixed(const char* at, const char* end) noexcept {
  return end - at >= fixed_bytes && std::memcmp(at, "HTTP/1.1 ", 9) == 0 && at[9] >= '1' &&
         at[9] <= '5' && is_digit(at[10]) && is_digit(at[11]);
}

// Leaves `where` at the first field line. RFC 9112 4.
outcome read_status_line(cursor& where, response_head& head) noexcept {
  const char* const begin = where.begin;
  const char* const end = where.end;
  if (where.now == stage::start) {
    const outcome got = is_fixed(begin, end) ? complete() : check_fixed(begin, end);
    if (got.state != progress::complete) return got;
    where.at = begin + fixed_bytes;
    if (where.at == end) return {};
    // The grammar wants the space even without a phrase; too many servers leave it out then.
    if (*where.at != ' ' && *where.at != '\r') return refuse(502, "bad_status");
    head.minor = begin[7] == '1' ? 1 : 0;
    head.status = static_cast<std::uint16_t>((begin[9] - '0') * 100 + (begin[10] - '0') * 10 +
                                             (begin[11] - '0'));
    where.now = stage::reason;
  }
  const char* const at = skip_value(where.at, end);
  where.at = at;
  if (end - at < 2) {
    if (at != end && *at != '\r') return refuse(502, control_reason(*at));
    return suspend(head, where);
  }
  if (at[0] != '\r' || at[1] != '\n') return refuse(502, control_reason(*at));
  const char* const reason = begin + fixed_bytes + 1;
  if (at > reason) head.reason = {reason, static_cast<std::size_t>(at - reason)};
  where.mark = where.at = at + 2;
  where.now = stage::name;
  return complete();
}

// RFC 9112 6.3.
outcome settle(method asked, response_head& head) noexcept {
  if (const char* reason = check_framing(head)) return refuse(502, reason);
  const bool chunked = head.has(field_id::transfer_encoding);
  const bool never = head.status < 200 || head.status == 204;
  if (never && chunked) return refuse(502, "transfer_encoding_without_body");
  if (never && head.content_length != 0) return refuse(502, "content_length_without_body");
  if (asked == method::head || is_bodiless(head.status)) {
    head.body = framing::none;
  } else if (chunked) {
    head.body = framing::chunked;
  } else {
    head.body = head.has(field_id::content_length) ? framing::length : framing::until_close;
  }
  settle_connection(head);
  if (head.body == framing::until_close || head.status == 101) head.keep_alive = false;
  return complete();
}

outcome read_response(cursor& where, const head_limits& limits, method asked,
                      response_head& head) noexcept {
  if (where.now < stage::name) {
    const outcome got = read_status_line(where, head);
    if (got.state != progress::complete) return got;
  }
  const outcome got = read_field_lines(where, limits.header_count, underscores::taken, head);
  return got.state == progress::complete ? settle(asked, head) : got;
}

}  // namespace

void response_head::rebase(const char* now) noexcept {
  const view_mover move{point.base, size != 0 ? size : point.scanned, now};
  move(reason);
  move_fields(*this, move);
  point.base = now;
}

outcome parse_response(std::string_view input, std::size_t already_seen, const head_limits& limits,
                       method asked, response_head& out) noexcept {
  const std::string_view bounded = input.substr(0, limits.head_bytes);
  outcome got;
  if (already_seen == 0) {
    start(out, input.data());
    cursor where = begin_at(bounded);
    got = read_response(where, limits, asked, out);
  } else {
    if (out.point.base != input.data()) out.rebase(input.data());
    cursor where = resume_at(bounded, out.point);
    got = read_response(where, limits, asked, out);
  }
  if (got.state == progress::partial && input.size() >= limits.head_bytes) {
    got = refuse(502, "head_too_large");
  }
  if (got.state == progress::refused) got.status = 502;
  return got;
}

}  // namespace rw::http
