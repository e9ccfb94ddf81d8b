// A certificate chain and its key as an operator wrote them in PEM, checked before anything serves
// it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

namespace rw::tls {

enum class key_kind : std::uint8_t { rsa, ecdsa, ed25519 };

// Immutable once loaded; any thread may read. Copies nothing it was given but what it keeps.
class certificate {
 public:
  // `chain_pem`: the leaf first, then each its issuer (RFC 8446 4.4.2); text around the blocks is
  // ignored, so is the root at the end. `key_pem`: PKCS#8, SEC 1 or PKCS#1, not encrypted.
  // Checks that all of it parses, that the key is the leaf's, that each certificate was issued by
  // the next one, and that no key is too weak to serve (RSA below 2048 bits). Dates are not
  // checked: an expired certificate serves, with a warning, rather than take the listener down.
  // Errors: fault::invalid, origin::configuration, and a text that says which of the two files it
  // is.
  static result<certificate> load(std::string_view chain_pem, const secret& key_pem);

  // DNS names of the leaf in lower case, wildcards as "*.example.org"; the subject's common name
  // when it has no subjectAltName at all (RFC 6125 6.4.4).
  std::span<const std::string> names() const noexcept { return names_; }
  // IP addresses of the leaf, "192.0.2.1" and "2001:db8::1".
  std::span<const std::string> addresses() const noexcept { return addresses_; }
  wall_time not_before() const noexcept { return not_before_; }
  // The earliest end of all certificates in the chain.
  wall_time not_after() const noexcept { return not_after_; }
  key_kind kind() const noexcept { return kind_; }
  // SHA-256 of the leaf's DER.
  const std::array<std::byte, 32>& fingerprint() const noexcept { return fingerprint_; }

  // What server_context hands to wolfSSL: the chain in clean PEM, the key in DER.
  const std::string& chain_pem() const noexcept { return chain_pem_; }
  const secret& key_der() const noexcept { return key_der_; }

 private:
  certificate() = default;

  std::string chain_pem_;
  secret key_der_;
  std::vector<std::string> names_;
  std::vector<std::string> addresses_;
  wall_time not_before_;
  wall_time not_after_;
  std::array<std::byte, 32> fingerprint_{};
  key_kind kind_ = key_kind::ecdsa;
};

struct self_signed {
  std::string chain_pem;
  secret key_pem;  // PKCS#8
};

// A fresh P-256 key and a certificate for it, signed by itself with ECDSA and SHA-256, for the
// given DNS names and IP addresses (RFC 5280): its own root, so that `curl --cacert` accepts it.
// Valid from an hour before `now` (clients' clocks differ) until `now + validity`. Errors:
// fault::invalid when there is neither name nor address, or an address is none.
result<self_signed> make_self_signed(std::span<const std::string> names,
                                     std::span<const std::string> addresses, wall_time now,
                                     std::chrono::seconds validity);

}  // namespace rw::tls
