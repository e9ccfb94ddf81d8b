#include "auth/authorization.h"

#include "base/text.h"

namespace rw::auth {

namespace {

authorization refused(reason why) {
  return {.what = authorization::form::refused, .why = why, .value = {}};
}

bool looks_like_token(std::string_view text) noexcept {
  const std::size_t first = text.find('.');
  return first != std::string_view::npos && text.find('.', first + 1) != std::string_view::npos;
}

}  // namespace

authorization read_authorization(const presented& credentials, const snapshot& state) noexcept {
  using form = authorization::form;
  const bool reads_keys = state.keys != nullptr && state.keys_in_authorization;
  const bool reads_tokens = !state.issuers.empty();
  if (credentials.authorization_lines == 0 || (!reads_keys && !reads_tokens)) return {};
  std::string_view value = credentials.authorization;
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos) {
    if (!reads_keys || iequals(value, "bearer")) return refused(reason::malformed);
    return {.what = form::key, .value = value};
  }
  if (!iequals(value.substr(0, space), "bearer")) return refused(reason::unsupported_scheme);
  value.remove_prefix(space);
  while (value.starts_with(' ')) value.remove_prefix(1);
  if (reads_tokens && looks_like_token(value)) return {.what = form::token, .value = value};
  if (!reads_keys) return refused(reason::malformed);
  return {.what = form::key, .value = value};
}

}  // namespace rw::auth
