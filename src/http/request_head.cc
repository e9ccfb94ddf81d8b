#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/authority.h"
#include "http/field_lines.h"
#include "http/head.h"
#include "http/scan.h"

namespace rw::http {

namespace {

using stage = parse_point::stage;

// Longer than any method of the IANA registry (UPDATEREDIRECTREF has 17).
constexpr std::ptrdiff_t method_bytes_max = 32;

std::string_view between(const char* begin, const char* end) noexcept {
  return {begin, static_cast<std::size_t>(end - begin)};
}

outcome complete() noexcept { return {.state = progress::complete}; }

void start(request_head& head, const char* base) noexcept {
  clear(head, base);
  head.verb = method::other;
  head.expect_continue = false;
  head.method_text = head.target = head.scheme = head.authority = {};
  head.host = head.path = head.query = {};
}

const char* method_reason(const char* at, const char* begin) noexcept {
  constexpr char tls_handshake_record = 0x16;  // RFC 8446 5.1: somebody speaks TLS to a plain port
  if (at == begin && *at == tls_handshake_record) return "tls_on_plain_port";
  if (*at == '\n' || *at == '\0') return control_reason(*at);
  return *at == ' ' || *at == '\r' ? "bad_request_line" : "bad_method";
}

const char* target_reason(const char* mark, const char* at) noexcept {
  switch (*at) {
    case '#':
      return "fragment_in_target";
    case '\r':
      return "missing_version";
    case '\n':
    case '\0':
      return control_reason(*at);
    default:
      return at == mark ? "bad_request_line" : "bad_target_character";
  }
}

// The slow way through "HTTP/1.x" CRLF, for pieces and for the wrong ones.
outcome check_version(const char* at, const char* end) noexcept {
  static constexpr char pattern[] = "HTTP/0.0\r\n";
  for (std::size_t i = 0; i < 10; ++i, ++at) {
    if (at == end) return {};
    const bool digit = *at >= '0' && *at <= '9';
    const bool fits = i == 5 || i == 7 ? digit : *at == pattern[i];
    if (!fits) {
      if (i >= 8) return refuse(400, *at == '\n' ? "bare_lf" : "bad_request_line");
      return refuse(400, "bad_version");
    }
    if (i == 7 && (at[-2] != '1' || *at > '1')) return refuse(505, "unsupported_version");
  }
  return complete();
}

bool take_scheme(std::string_view& target, std::string_view scheme, request_head& head) noexcept {
  const std::size_t size = scheme.size();
  if (!iequals(target.substr(0, size), scheme) || target.substr(size, 3) != "://") return false;
  head.scheme = target.substr(0, size);
  target.remove_prefix(size + 3);
  return true;
}

// absolute-form (RFC 9112 3.2.2).
const char* split_absolute(request_head& head) noexcept {
  std::string_view rest = head.target;
  if (!take_scheme(rest, "http", head) && !take_scheme(rest, "https", head)) return "bad_target";
  const std::size_t size = std::min(rest.find_first_of("/?"), rest.size());
  head.authority = rest.substr(0, size);
  if (authority_host_bytes(head.authority) == 0) return "bad_target_authority";
  rest.remove_prefix(size);
  const std::size_t path = std::min(rest.find('?'), rest.size());
  head.path = rest.substr(0, path);
  head.query = rest.substr(path);
  if (!head.path.empty()) return nullptr;
  // RFC 9112 3.2.4: OPTIONS for a server as a whole arrives in this form too.
  head.path = head.verb == method::options && head.query.empty() ? "*" : "/";
  return nullptr;
}

const char* split_target(request_head& head) noexcept {
  const std::string_view target = head.target;
  if (target.front() == '/') {
    const std::size_t path = std::min(target.find('?'), target.size());
    head.path = target.substr(0, path);
    head.query = target.substr(path);
    return nullptr;
  }
  if (target == "*") {
    head.path = target;
    return head.verb == method::options ? nullptr : "asterisk_without_options";
  }
  return split_absolute(head);
}

outcome read_version(cursor& where, request_head& head) noexcept {
  const char* const mark = where.mark;
  const bool plain = where.end - mark >= 10 && std::memcmp(mark, "HTTP/1.1\r\n", 10) == 0;
  if (!plain) {
    const outcome got = check_version(mark, where.end);
    if (got.state == progress::partial) return suspend(head, where);
    if (got.state == progress::refused) return got;
  }
  head.minor = mark[7] == '1' ? 1 : 0;
  if (const char* reason = split_target(head)) return refuse(400, reason);
  where.mark = where.at = mark + 10;
  where.now = stage::name;
  return complete();
}

outcome read_target(cursor& where, std::uint32_t target_bytes, request_head& head) noexcept {
  const char* const at = skip_target(where.at, where.end);
  where.at = at;
  if (static_cast<std::size_t>(at - where.mark) > target_bytes) {
    return refuse(414, "target_too_long");
  }
  if (at == where.end) return suspend(head, where);
  if (*at != ' ' || at == where.mark) return refuse(400, target_reason(where.mark, at));
  head.target = between(where.mark, at);
  where.mark = where.at = at + 1;
  where.now = stage::version;
  return complete();
}

// The methods of nearly all requests are found by one comparison.
const char* skip_method(const char* at, const char* end) noexcept {
  if (end - at >= 5) {
    if (std::memcmp(at, "GET ", 4) == 0) return at + 3;
    if (std::memcmp(at, "POST ", 5) == 0) return at + 4;
  }
  return skip_by_table<token_char>(at, end);
}

outcome read_method(cursor& where, request_head& head) noexcept {
  const char* const at = skip_method(where.at, where.end);
  where.at = at;
  if (at - where.mark > method_bytes_max) return refuse(501, "method_too_long");
  if (at == where.end) return suspend(head, where);
  if (*at != ' ' || at == where.mark) return refuse(400, method_reason(at, where.begin));
  const std::string_view text = between(where.mark, at);
  head.method_text = text;
  head.verb = parse_method(text);
  if (head.verb == method::connect) return refuse(501, "connect_unsupported");
  where.mark = where.at = at + 1;
  where.now = stage::target;
  return complete();
}

// RFC 9112 2.2: one empty line in front, which some clients send after a body.
outcome skip_empty_line(cursor& where) noexcept {
  const std::ptrdiff_t left = where.end - where.at;
  if (left == 0) return {};
  if (*where.at == '\r') {
    if (left < 2) return {};
    if (where.at[1] != '\n') return refuse(400, "bare_cr");
    where.at += 2;
  }
  where.mark = where.at;
  where.now = stage::method;
  return complete();
}

// Leaves `where` at the first field line.
outcome read_request_line(cursor& where, const head_limits& limits, request_head& head) noexcept {
  outcome got = complete();
  if (where.now == stage::start) got = skip_empty_line(where);
  if (where.now == stage::method) got = read_method(where, head);
  if (got.state != progress::complete) return got;
  if (where.now == stage::target) got = read_target(where, limits.target_bytes, head);
  if (got.state != progress::complete) return got;
  return read_version(where, head);
}

// RFC 9112 3.2, RFC 9110 7.2. Works on pointers and sizes: a view that was just written cannot be
// read back as one word without waiting for both of its stores.
const char* settle_authority(request_head& head) noexcept {
  const field* one = head.find(field_id::host);
  const bool absolute = !head.scheme.empty();
  if (one == nullptr && head.minor == 1) return "missing_host";
  if (one == nullptr && !absolute) return nullptr;
  const std::string_view* authority = one != nullptr ? &one->value : &head.authority;
  const char* const data = authority->data();
  const std::size_t size = authority->size();
  if (one != nullptr && absolute && !iequals({data, size}, head.authority)) {
    return "host_differs_from_target";
  }
  std::size_t host = authority_host_bytes({data, size});
  if (host == 0) return "bad_host";
  if (host > 1 && data[host - 1] == '.') --host;
  head.authority = {data, size};
  head.host = {data, host};
  return nullptr;
}

outcome settle_expect(request_head& head) noexcept {
  for (const field& one : head.fields) {
    if (one.id != field_id::expect) continue;
    if (!iequals(one.value, "100-continue")) return refuse(417, "unsupported_expectation");
    head.expect_continue = head.minor == 1;  // RFC 9110 10.1.1: ignored in HTTP/1.0
  }
  return complete();
}

outcome settle(request_head& head) noexcept {
  if (const char* reason = settle_authority(head)) return refuse(400, reason);
  if (const char* reason = check_framing(head)) return refuse(400, reason);
  if (head.has(field_id::transfer_encoding)) {
    head.body = framing::chunked;
  } else if (head.has(field_id::content_length)) {
    head.body = framing::length;
  }
  settle_connection(head);
  return head.has(field_id::expect) ? settle_expect(head) : complete();
}

outcome read_request(cursor& where, const head_limits& limits, request_head& head) noexcept {
  if (where.now <= stage::version) {
    const outcome got = read_request_line(where, limits, head);
    if (got.state != progress::complete) return got;
  }
  const outcome got = read_field_lines(where, limits.header_count, underscores::refused, head);
  return got.state == progress::complete ? settle(head) : got;
}

}  // namespace

void request_head::rebase(const char* now) noexcept {
  const std::size_t extent = size != 0 ? size : point.scanned;
  const view_mover move{point.base, extent, now};
  for (std::string_view* view :
       {&method_text, &target, &scheme, &authority, &host, &path, &query}) {
    move(*view);
  }
  move_fields(*this, move);
  point.base = now;
}

outcome parse_request(std::string_view input, std::size_t already_seen, const head_limits& limits,
                      request_head& out) noexcept {
  const std::string_view bounded = input.substr(0, limits.head_bytes);
  outcome got;
  if (already_seen == 0) {
    start(out, input.data());
    cursor where = begin_at(bounded);
    got = read_request(where, limits, out);
  } else {
    if (out.point.base != input.data()) out.rebase(input.data());
    cursor where = resume_at(bounded, out.point);
    got = read_request(where, limits, out);
  }
  if (got.state == progress::partial && input.size() >= limits.head_bytes) {
    return refuse(431, "head_too_large");
  }
  return got;
}

}  // namespace rw::http
