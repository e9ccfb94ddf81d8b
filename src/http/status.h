// Reason phrases (RFC 9110 15 and the IANA registry).
#pragma once

#include <string_view>

namespace rw::http {

// "Not Found"; empty for a status that is not registered.
std::string_view reason_phrase(unsigned status) noexcept;

// 1xx, 204 and 304 end with their head, whatever its fields say (RFC 9112 6.3).
constexpr bool is_bodiless(unsigned status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace rw::http
