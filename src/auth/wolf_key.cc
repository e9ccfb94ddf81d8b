#include "auth/wolf_key.h"

#include "base/assert.h"

namespace rw::auth {

int wolf_curve(key_type type) noexcept {
  switch (type) {
    case key_type::p256:
      return ECC_SECP256R1;
    case key_type::p384:
      return ECC_SECP384R1;
    case key_type::p521:
      return ECC_SECP521R1;
    case key_type::rsa:
    case key_type::ed25519:
      break;
  }
  RW_ASSERT(false);
}

bool rsa_key_guard::import_public(const public_key& from) noexcept {
  return ready_ && wc_RsaPublicKeyDecodeRaw(wolf_octets(from.n), static_cast<word32>(from.n.size()),
                                            wolf_octets(from.e), static_cast<word32>(from.e.size()),
                                            &key_) == 0;
}

bool ec_key_guard::import_public(const public_key& from) noexcept {
  return ready_ && wc_ecc_import_unsigned(&key_, wolf_octets(from.x), wolf_octets(from.y), nullptr,
                                          wolf_curve(from.type)) == 0;
}

bool ec_key_guard::import_private(const public_key& from, std::string_view d) noexcept {
  return ready_ && wc_ecc_import_unsigned(&key_, wolf_octets(from.x), wolf_octets(from.y),
                                          wolf_octets(d), wolf_curve(from.type)) == 0;
}

}  // namespace rw::auth
