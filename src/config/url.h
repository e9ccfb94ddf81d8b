// A URL of https, as operators and identity providers write it (RFC 3986, RFC 9110 4.2.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace rw::config {

struct https_url {
  std::string host;  // lower case: a name, or an address without brackets
  std::uint16_t port = 443;
  std::string target = "/";  // path and query, as a request line has it

  // As the Host field has it: with brackets around IPv6, with the port unless it is 443.
  std::string authority() const;
  friend bool operator==(const https_url&, const https_url&) = default;
};

inline constexpr std::size_t url_bytes_max = 2048;

// Errors: fault::invalid with a literal text that says what is wrong: another scheme, a user, a
// fragment, a host that is none, characters that a request line may not have.
result<https_url> parse_https_url(std::string_view text);

}  // namespace rw::config
