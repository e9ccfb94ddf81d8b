// The `jti` of tokens of our own mint (RFC 7519 4.1.7): <128 random bits>.<tag of the key's line>,
// both base64url. So a token says which line of the key file it was minted for, to any gate that
// shares file and signing key, and to nobody else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/key_store.h"

namespace rw::auth {

// A new one, never the same twice; 45 characters.
std::string make_token_id(const line_tag& key);

// Nothing when it is not of this form.
std::optional<line_tag> tag_in(std::string_view jti) noexcept;

}  // namespace rw::auth
