// Whom a client's certificate names.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace rw::tls {

inline constexpr std::size_t holder_name_bytes_max = 256;

// Of a certificate in DER whose signature somebody else has verified: the URI of its subjectAltName
// (RFC 5280 4.2.1.6), without one its first DNS name, in lower case, without one the common name of
// its subject. The first kind that is there decides: where that name cannot be used, no other is
// taken in its place, and nothing is ever cut. Visible ASCII, 1 to holder_name_bytes_max octets.
//
// Errors: fault::invalid with a literal text: none of the three, several URIs or common names, a
// wildcard, other characters, too long, not DER. The common name counts in a UTF8String, a
// PrintableString or an IA5String.
result<std::string> holder_name(std::string_view der);

}  // namespace rw::tls
