// Revocations as text for people, and which of them are of the same thing.
#pragma once

#include <string>

#include "auth/revocations.h"

namespace rw::control {

// "jti 7 of issuer https://issuer.example"
std::string describe(const auth::revocation& one);
bool is_same(const auth::revocation& a, const auth::revocation& b) noexcept;

}  // namespace rw::control
