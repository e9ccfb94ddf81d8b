// host[:port] (RFC 3986 3.2, RFC 9110 7.2). Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace rw::http {

struct authority_parts {
  std::string_view host;  // a name, an IPv4 address, or an IPv6 address in its brackets
  std::string_view port;  // digits, up to 65535; empty where there is none
};

// False for anything else: an empty host, user information, percent-encoding (which no DNS name or
// address needs, and which two readers might or might not decode), zone identifiers, IPvFuture.
bool parse_authority(std::string_view text, authority_parts& out) noexcept;

// The same question for those who want the host alone: its octets at the front of `text`, 0 for no.
std::size_t authority_host_bytes(std::string_view text) noexcept;

}  // namespace rw::http
