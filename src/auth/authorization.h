// The Authorization header (RFC 6750 2.1), told apart: a key, a token or neither. Inside auth/
// only.
#pragma once

#include <cstdint>
#include <string_view>

#include "auth/authenticate.h"
#include "auth/reason.h"

namespace rw::auth {

// What an Authorization line turned out to hold.
struct authorization {
  enum class form : std::uint8_t { absent, key, token, refused };
  form what = form::absent;
  reason why = reason::none;  // for refused
  std::string_view value;
};

// Reads nothing at all where neither keys nor tokens are taken from this header. A bare value is
// what many API clients send for a key.
authorization read_authorization(const presented& credentials, const snapshot& state) noexcept;

}  // namespace rw::auth
