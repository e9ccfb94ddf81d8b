// One certificate as wolfSSL parses it, and what both sides of TLS ask of one. Inside tls/ only.
#pragma once

#include <wolfssl/ssl.h>
// asn.h comes after ssl.h: it needs what that one defines
#include <wolfssl/wolfcrypt/asn.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace rw::tls {

// Points into the DER it was made from. Verifies nothing.
class decoded {
 public:
  explicit decoded(std::string_view der);
  ~decoded() { wc_FreeDecodedCert(&certificate_); }
  decoded(const decoded&) = delete;
  decoded& operator=(const decoded&) = delete;

  bool ok() const noexcept { return parsed_; }
  const DecodedCert* operator->() const noexcept { return &certificate_; }

 private:
  DecodedCert certificate_;
  bool parsed_ = false;
};

// UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 allows them: to the second, with a Z.
std::optional<wall_time> parse_time(const unsigned char* asn1, int size);

// The subjectAltName: DNS names in lower case, addresses as text.
void read_alternative_names(const decoded& leaf, std::vector<std::string>& names,
                            std::vector<std::string>& addresses);
bool is_dns_name(std::string_view name) noexcept;
std::string lower_case(std::string_view name);

// By name and key identifier; says nothing of the signature.
bool issued_by(const decoded& one, const decoded& issuer) noexcept;

// The DER of each certificate in a PEM text, `most` at most. Errors: fault::invalid.
result<std::vector<std::string>> read_certificates(std::string_view pem, std::size_t most);

// SHA-256 of the subjectPublicKeyInfo, what a pin is made of (RFC 7469 2.4). Nothing when the
// certificate does not parse.
std::optional<std::array<std::byte, 32>> key_digest(std::string_view der);

}  // namespace rw::tls
