#include "http/h2_head.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "http/authority.h"
#include "http/character.h"
#include "http/field_lines.h"
#include "http/status.h"

namespace rw::http {
namespace {

constexpr std::uint16_t malformed = 0;
constexpr std::size_t method_bytes_max = 32;  // as in HTTP/1.1
constexpr std::size_t line_overhead = 4;      // ": " and CRLF, which a field would have there

// RFC 9113 8.2.2: they say something of a connection, and here there is none of their kind.
constexpr std::uint64_t connection_specific =
    mask_of(field_id::connection) | mask_of(field_id::proxy_connection) |
    mask_of(field_id::keep_alive) | mask_of(field_id::transfer_encoding) |
    mask_of(field_id::upgrade);

bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }

const char* name_reason(std::string_view name) noexcept {
  if (name.empty()) return "empty_field_name";
  if (std::ranges::any_of(name, is_upper)) return "uppercase_field_name";
  return std::ranges::all_of(name, [](char c) { return is(c, token_char); }) ? nullptr
                                                                             : "bad_field_name";
}

// RFC 9113 8.2.1, and the control characters that RFC 9110 5.5 does not admit either.
const char* value_reason(std::string_view value) noexcept {
  if (!is_field_value(value)) return "bad_field_value";
  return trim_ows(value).size() == value.size() ? nullptr : "space_around_field_value";
}

}  // namespace

void h2_section::start(const head_limits& limits, section_kind kind) {
  limits_ = limits;
  limits_.header_count = std::min<std::uint32_t>(limits.header_count, fields_max);
  kind_ = kind;
  refused_ = {};
  text_.clear();
  lines_.clear();
  method_ = scheme_ = authority_ = path_ = status_ = {};
  present_ = content_length_ = 0;
  cookies_ = 0;
  cookie_bytes_ = 0;
}

void h2_section::refuse(std::uint16_t status, const char* reason) noexcept {
  // What breaks the protocol counts for more than what is only too much.
  if (refused_.state == progress::refused && (refused_.status == malformed || status != malformed))
    return;
  refused_ = {progress::refused, status, reason};
}

h2_section::piece h2_section::keep(std::string_view text) {
  const piece kept{static_cast<std::uint32_t>(text_.size()),
                   static_cast<std::uint32_t>(text.size()), true};
  text_.append(text);
  return kept;
}

void h2_section::add(std::string_view name, std::string_view value) {
  const std::size_t size = name.size() + value.size() + line_overhead;
  if (size > limits_.head_bytes - std::min<std::size_t>(text_.size(), limits_.head_bytes)) {
    // RFC 9110 15.5.15 for the path, which has a bound of its own.
    return name == ":path" ? refuse(414, "target_too_long") : refuse(431, "head_too_large");
  }
  if (name.starts_with(':')) return add_pseudo(name, value);
  if (const char* reason = name_reason(name)) return refuse(malformed, reason);
  if (const char* reason = value_reason(value)) return refuse(malformed, reason);
  // Nothing that RFC 9113 forbids, but see is_field_name().
  const bool of_client = kind_ == section_kind::request || kind_ == section_kind::request_trailers;
  if (of_client && name.contains('_')) return refuse(400, "underscore_in_field_name");
  const field_id id = identify(name);
  if (const char* reason = check_field(id, name, value)) return refuse(malformed, reason);
  if (lines_.size() == limits_.header_count) return refuse(431, "too_many_fields");
  if (id == field_id::cookie) {
    ++cookies_;
    cookie_bytes_ += value.size();
  }
  present_ |= mask_of(id);
  const piece kept = keep(name);
  text_.append(": ");
  lines_.push_back({kept, keep(value), id});
  text_.append("\r\n");
}

// RFC 9113 8.3.
void h2_section::add_pseudo(std::string_view name, std::string_view value) {
  const bool asks = kind_ == section_kind::request;
  piece* const known = !asks                  ? (name == ":status" ? &status_ : nullptr)
                       : name == ":method"    ? &method_
                       : name == ":scheme"    ? &scheme_
                       : name == ":authority" ? &authority_
                       : name == ":path"      ? &path_
                                              : nullptr;
  if (kind_ == section_kind::request_trailers || kind_ == section_kind::response_trailers)
    return refuse(malformed, "pseudo_header_in_trailers");
  if (known == nullptr) return refuse(malformed, "unknown_pseudo_header");
  if (known->there) return refuse(malformed, "duplicate_pseudo_header");
  if (!lines_.empty()) return refuse(malformed, "pseudo_header_after_field");
  if (value_reason(value) != nullptr) return refuse(malformed, "bad_pseudo_header");
  *known = keep(value);
}

const char* h2_section::check_field(field_id id, std::string_view name, std::string_view value) {
  const bool again = (present_ & mask_of(id)) != 0;
  if ((connection_specific & mask_of(id)) != 0) return "connection_specific_field";
  switch (id) {
    case field_id::te:
      return value == "trailers" ? nullptr : "bad_te";
    case field_id::host:
      return again ? "duplicate_host" : nullptr;
    case field_id::content_length:
      return again ? "duplicate_content_length" : read_content_length(value, content_length_);
    default:
      return name == "http2-settings" ? "connection_specific_field" : nullptr;
  }
}

std::size_t h2_section::text_bytes() const noexcept {
  return text_.size() + (cookies_ > 1 ? cookie_bytes_ + std::size_t{2} * (cookies_ - 1) : 0);
}

std::size_t h2_section::write_cookies(char* at) const {
  char* const begin = at;
  for (const line& one : lines_) {
    if (one.id != field_id::cookie) continue;
    if (at != begin) {
      *at++ = ';';
      *at++ = ' ';
    }
    const std::string_view value = one.value.in(text_.data());
    at = std::copy(value.begin(), value.end(), at);
  }
  return static_cast<std::size_t>(at - begin);
}

// :method, :scheme and :path, which a request has exactly one of each (RFC 9113 8.3.1).
outcome h2_section::read_control_data(request_head& out, const char* text) const {
  if (!method_.there) return rw::http::refuse(malformed, "missing_method");
  const std::string_view method = method_.in(text);
  if (!is_token(method)) return rw::http::refuse(malformed, "bad_method");
  if (method.size() > method_bytes_max) return rw::http::refuse(501, "method_too_long");
  out.method_text = method;
  out.verb = parse_method(method);
  if (out.verb == method::connect) return rw::http::refuse(501, "connect_unsupported");
  if (!scheme_.there) return rw::http::refuse(malformed, "missing_scheme");
  if (!path_.there) return rw::http::refuse(malformed, "missing_path");
  out.scheme = scheme_.in(text);
  if (out.scheme != "https" && out.scheme != "http") {
    return rw::http::refuse(malformed, "bad_scheme");
  }
  const std::string_view target = path_.in(text);
  if (target.size() > limits_.target_bytes) return rw::http::refuse(414, "target_too_long");
  if (!std::ranges::all_of(target, [](char c) { return is(c, target_char); })) {
    return rw::http::refuse(malformed, "bad_path");
  }
  const bool asterisk = target == "*" && out.verb == method::options;
  if (!target.starts_with('/') && !asterisk) return rw::http::refuse(malformed, "bad_path");
  out.target = target;
  const std::size_t question = std::min(target.find('?'), target.size());
  out.path = target.substr(0, question);
  out.query = target.substr(question);
  return {.state = progress::complete};
}

// RFC 9113 8.3.1; RFC 3986 3.2, without user information.
const char* h2_section::settle_authority(request_head& out, const char* text) const {
  const field* host = out.find(field_id::host);
  if (!authority_.there && host == nullptr) return "missing_authority";
  out.authority = authority_.there ? authority_.in(text) : host->value;
  if (host != nullptr && !iequals(host->value, out.authority)) return "host_differs_from_authority";
  std::size_t size = authority_host_bytes(out.authority);
  if (size == 0) return "bad_authority";
  if (size > 1 && out.authority[size - 1] == '.') --size;
  out.host = out.authority.substr(0, size);
  return nullptr;
}

outcome h2_section::settle_body(bool ends, request_head& out) const {
  if (out.has(field_id::content_length)) {
    if (ends && content_length_ != 0) {
      return rw::http::refuse(malformed, "content_length_differs");
    }
    out.body = framing::length;
    out.content_length = content_length_;
  } else if (!ends) {
    out.body = framing::chunked;
  }
  const field* expects = out.find(field_id::expect);
  if (expects == nullptr) return {.state = progress::complete};
  if (!iequals(expects->value, "100-continue") || out.count(field_id::expect) > 1) {
    return rw::http::refuse(417, "unsupported_expectation");
  }
  out.expect_continue = true;
  return {.state = progress::complete};
}

outcome h2_section::make_request(char* home, bool ends, request_head& out) const {
  clear(out, home);
  out.verb = method::other;
  out.expect_continue = false;
  out.method_text = out.target = out.scheme = out.authority = {};
  out.host = out.path = out.query = {};
  std::memcpy(home, text_.data(), text_.size());
  out.size = static_cast<std::uint32_t>(text_bytes());
  std::string_view cookies;
  if (cookies_ > 1) cookies = {home + text_.size(), write_cookies(home + text_.size())};

  const outcome control = read_control_data(out, home);
  if (refused_.state == progress::refused && (method_.there || refused_.status == malformed)) {
    return refused_;
  }
  if (control.state == progress::refused) return control;
  bool cookies_written = false;
  for (const line& one : lines_) {
    std::string_view value = one.value.in(home);
    if (one.id == field_id::cookie && cookies_ > 1) {
      if (std::exchange(cookies_written, true)) continue;
      value = cookies;
    }
    out.fields.append(one.name.in(home), value, one.id, is_hop_by_hop(one.id));
  }
  out.present = present_;
  out.accepts_trailers = out.has(field_id::te);
  if (const char* reason = settle_authority(out, home)) {
    return rw::http::refuse(malformed, reason);
  }
  return settle_body(ends, out);
}

// RFC 9113 8.3.2; 101 is of HTTP/1.1 alone (8.6).
outcome h2_section::make_response(std::string& text, unsigned& status) const {
  const auto bad = [](const char* reason) { return rw::http::refuse(502, reason); };
  if (refused_.state == progress::refused) return bad(refused_.reason);
  const std::string_view digits = status_.in(text_.data());
  if (!status_.there) return bad("missing_status");
  if (digits.size() != 3 || digits.front() < '1' || digits.front() > '5' ||
      !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }) ||
      digits == "101") {
    return bad("bad_status");
  }
  status = 0;
  for (const char c : digits) status = status * 10 + static_cast<unsigned>(c - '0');
  text.append("HTTP/1.1 ").append(digits).append(" ").append(reason_phrase(status)).append("\r\n");
  if (!lines_.empty()) text.append(text_, lines_.front().name.at);
  text.append("\r\n");
  return {.state = progress::complete};
}

outcome h2_section::make_trailers(std::string& lines) const {
  if (refused_.state == progress::refused) return refused_;
  for (const line& one : lines_) {
    if (!may_be_trailer(one.id)) continue;
    lines.append(one.name.in(text_.data())).append(": ");
    lines.append(one.value.in(text_.data())).append("\r\n");
  }
  return {.state = progress::complete};
}

}  // namespace rw::http
