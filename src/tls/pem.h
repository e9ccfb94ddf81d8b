// PEM text (RFC 7468): one labelled block after the other, with anything around them. Inside tls/
// only.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rw::tls {

struct pem_block {
  std::string_view label;  // "CERTIFICATE"
  std::string_view body;   // between the two lines
};

// The first block of `text`, which is advanced past it. Nothing when there is none, or none whose
// end has the label of its beginning.
std::optional<pem_block> next_pem(std::string_view& text) noexcept;

// The body's bytes; nothing when it is no Base64. The caller wipes what is secret.
std::optional<std::string> decode_pem(std::string_view body);

void append_pem(std::string& out, std::string_view label, std::string_view der);

}  // namespace rw::tls
