// Where an issuer has its keys, by its own word (OpenID Connect Discovery 1.0).
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace rw::auth {

// Below the issuer, whose final '/' does not count (section 4).
std::string discovery_url(std::string_view issuer);

// `jwks_uri` of such a document (section 3). Errors are literals: no strict JSON object, another
// issuer than the one that was asked (section 4.3), no jwks_uri. Whether that is a URL of https is
// for the caller to look at.
std::expected<std::string, const char*> read_discovery(std::string_view json,
                                                       std::string_view issuer);

}  // namespace rw::auth
