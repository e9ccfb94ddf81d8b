// wolfCrypt key objects that free and wipe themselves. Included by .cc files alone.
#pragma once

#include <wolfssl/wolfcrypt/settings.h>
// settings.h comes first, always.
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "auth/jwk.h"

namespace rw::auth {

inline const byte* wolf_octets(std::string_view text) noexcept {
  return reinterpret_cast<const byte*>(text.data());
}

// ECC_SECP256R1 and so on; only for the three EC types.
int wolf_curve(key_type type) noexcept;

// 16 KiB: on the stack of the call that uses it.
class rsa_key_guard {
 public:
  rsa_key_guard() noexcept { ready_ = wc_InitRsaKey(&key_, nullptr) == 0; }
  ~rsa_key_guard() { wc_FreeRsaKey(&key_); }
  rsa_key_guard(const rsa_key_guard&) = delete;
  rsa_key_guard& operator=(const rsa_key_guard&) = delete;

  bool import_public(const public_key& from) noexcept;
  RsaKey* get() noexcept { return &key_; }

 private:
  RsaKey key_;
  bool ready_;
};

// 8 KiB, likewise.
class ec_key_guard {
 public:
  ec_key_guard() noexcept { ready_ = wc_ecc_init(&key_) == 0; }
  ~ec_key_guard() { wc_ecc_free(&key_); }
  ec_key_guard(const ec_key_guard&) = delete;
  ec_key_guard& operator=(const ec_key_guard&) = delete;

  bool import_public(const public_key& from) noexcept;
  // `d` has field_bytes(from.type) octets.
  bool import_private(const public_key& from, std::string_view d) noexcept;
  ecc_key* get() noexcept { return &key_; }

 private:
  ecc_key key_;
  bool ready_;
};

}  // namespace rw::auth
