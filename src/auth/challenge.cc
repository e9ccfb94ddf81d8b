#include <string>
#include <string_view>

#include "auth/authenticate.h"

namespace rw::auth {

namespace {

// RFC 6749 3.3: visible ASCII without '"' and '\', so that it needs no escape in a quoted string.
bool is_scope_token(std::string_view text) noexcept {
  for (char c : text) {
    if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') return false;
  }
  return !text.empty();
}

std::string_view error_code(reason why) noexcept {
  switch (why) {
    case reason::none:
    case reason::missing:
    case reason::unsupported_scheme:
    case reason::certificate_name:
    case reason::keys_unavailable:
    case reason::unverified:
    case reason::replay_full:
    case reason::replay_unknown:
      return {};
    case reason::ambiguous:
      return "invalid_request";
    case reason::insufficient_scope:
      return "insufficient_scope";
    default:
      return "invalid_token";
  }
}

}  // namespace

void append_challenge(std::string& out, reason why, std::span<const std::string> scopes) {
  out += "Bearer realm=\"api\"";
  const std::string_view error = error_code(why);
  if (error.empty()) return;
  out += ", error=\"";
  out += error;
  out += '"';
  if (why != reason::insufficient_scope || scopes.empty()) return;
  out += ", scope=\"";
  bool first = true;
  for (const std::string& scope : scopes) {
    if (!is_scope_token(scope)) continue;
    if (!first) out += ' ';
    out += scope;
    first = false;
  }
  out += '"';
}

}  // namespace rw::auth
