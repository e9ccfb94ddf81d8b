// Request methods (RFC 9110 9). Names are case-sensitive.
#pragma once

#include <cstdint>
#include <string_view>

namespace rw::http {

enum class method : std::uint8_t {
  get,
  head,
  post,
  put,
  delete_,  // NOLINT(readability-identifier-naming): `delete` is a keyword
  connect,
  options,
  trace,
  patch,
  other  // a valid token that is none of these; request_head::method_text has it
};

// `other` for anything unknown, "get" included.
method parse_method(std::string_view text) noexcept;

// "GET" and so on; empty for `other`.
std::string_view name(method verb) noexcept;

// Nothing is asked to change (RFC 9110 9.2.1). False for `other`.
constexpr bool is_safe(method verb) noexcept {
  return verb == method::get || verb == method::head || verb == method::options ||
         verb == method::trace;
}

// Sending it twice intends no more than sending it once (RFC 9110 9.2.2). False for `other`.
constexpr bool is_idempotent(method verb) noexcept {
  return is_safe(verb) || verb == method::put || verb == method::delete_;
}

}  // namespace rw::http
