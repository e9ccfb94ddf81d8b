// What may be written where HTTP will read it: header names and values, hosts, paths, methods. Each
// refuse_ function says what is wrong with a text, as the rest of a sentence about it; empty when
// it is right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rw::config {

// Of a listener, issuer, limit, upstream or route: it becomes a label in logs and metrics.
std::string_view refuse_name(std::string_view text) noexcept;

// RFC 9110 5.6.2, token.
bool is_token(std::string_view text) noexcept;

enum class underscores : std::uint8_t { refused, taken };

// A header name as the parser lets it in: a token, without an underscore unless it is one of an
// origin's answer (http/field.h says why).
std::string_view refuse_field_name(std::string_view text,
                                   underscores in = underscores::refused) noexcept;

// A lower-case header name that may be set or removed: not those that frame a message or belong to
// one connection, which are the gate's own (RFC 9110 7.6.1, RFC 9112 6).
std::string_view refuse_header_name(std::string_view text,
                                    underscores in = underscores::refused) noexcept;

// RFC 9110 5.5, without obs-text.
std::string_view refuse_header_value(std::string_view text) noexcept;

// "*", "*.example", "api.example", "192.0.2.1" or "[2001:db8::1]"; lower case.
std::string_view refuse_host_pattern(std::string_view text) noexcept;

// The name of a host (RFC 1123 2.1, underscores let through) or an IPv4 address.
bool is_host_name(std::string_view text) noexcept;

// An absolute path that a request's path can be equal to once it is normalised (RFC 3986 6.2.2).
std::string_view refuse_path(std::string_view text) noexcept;

// RFC 9110 9.1; CONNECT is not forwarded.
std::string_view refuse_method(std::string_view text) noexcept;

// A serialised origin, as browsers send it (RFC 6454 6.2): "https://app.example",
// "http://127.0.0.1:3000". "*" is left to the caller.
std::string_view refuse_origin(std::string_view text) noexcept;

// The code of a country as ISO 3166-1 alpha-2 has it: "DE".
std::string_view refuse_country(std::string_view code) noexcept;

// A Location template: an absolute URL or path with {host}, {path} and {query}.
std::string_view refuse_redirect(std::string_view text) noexcept;

// Of a public key: "sha256/" and 32 octets in Base64, 43 digits and one "=".
bool is_key_pin(std::string_view text) noexcept;

std::string lower_case(std::string_view text);

}  // namespace rw::config
