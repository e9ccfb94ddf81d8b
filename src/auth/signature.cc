#include "auth/signature.h"

#include <sodium.h>

#include <cstring>

#include "auth/digest.h"
#include "auth/wolf_key.h"
#include "base/assert.h"
// Needs wolfCrypt's settings, which wolf_key.h brings.
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/hash.h>

namespace rw::auth {

namespace {

word32 size32(std::string_view text) noexcept { return static_cast<word32>(text.size()); }

// RFC 8017 8.2.2, by building the expected DigestInfo and comparing, never by parsing what the
// signature decrypts to.
bool verify_pkcs1(RsaKey* key, digest_kind kind, const digest& hash,
                  std::string_view signature) noexcept {
  int oid = SHA256h;
  if (kind == digest_kind::sha384) oid = SHA384h;
  if (kind == digest_kind::sha512) oid = SHA512h;
  byte expected[MAX_DER_DIGEST_SZ];
  const word32 expected_size =
      wc_EncodeSignature(expected, hash.octets.data(), static_cast<word32>(hash.size), oid);
  byte found[signature_bytes_max];
  const int size =
      wc_RsaSSL_Verify(wolf_octets(signature), size32(signature), found, sizeof found, key);
  return size > 0 && static_cast<word32>(size) == expected_size &&
         sodium_memcmp(found, expected, expected_size) == 0;
}

bool verify_pss(RsaKey* key, digest_kind kind, const digest& hash,
                std::string_view signature) noexcept {
  wc_HashType type = WC_HASH_TYPE_SHA256;
  int mgf = WC_MGF1SHA256;
  if (kind == digest_kind::sha384) {
    type = WC_HASH_TYPE_SHA384;
    mgf = WC_MGF1SHA384;
  } else if (kind == digest_kind::sha512) {
    type = WC_HASH_TYPE_SHA512;
    mgf = WC_MGF1SHA512;
  }
  // wolfSSL 5.7 takes what it reads as writable.
  byte copy[signature_bytes_max];
  if (signature.size() > sizeof copy) return false;
  std::memcpy(copy, signature.data(), signature.size());
  byte room[signature_bytes_max];
  return wc_RsaPSS_VerifyCheck(copy, size32(signature), room, sizeof room, hash.octets.data(),
                               static_cast<word32>(hash.size), type, mgf, key) > 0;
}

bool verify_rsa(const public_key& key, algorithm alg, std::string_view input,
                std::string_view signature) noexcept {
  if (signature.size() != key.n.size()) return false;
  // As octet strings of one length: RSAVP1 refuses a representative that is not below the modulus.
  if (std::memcmp(signature.data(), key.n.data(), key.n.size()) >= 0) return false;
  rsa_key_guard rsa;
  if (!rsa.import_public(key)) return false;
  const digest_kind kind = digest_of(alg);
  const digest hash = make_digest(kind, input);
  return is_pss(alg) ? verify_pss(rsa.get(), kind, hash, signature)
                     : verify_pkcs1(rsa.get(), kind, hash, signature);
}

bool verify_ecdsa(const public_key& key, algorithm alg, std::string_view input,
                  std::string_view signature) noexcept {
  const std::size_t half = field_bytes(key.type);
  if (signature.size() != 2 * half) return false;
  ec_key_guard ec;
  if (!ec.import_public(key)) return false;
  mp_int r;
  mp_int s;
  if (mp_init(&r) != MP_OKAY || mp_init(&s) != MP_OKAY) return false;
  if (mp_read_unsigned_bin(&r, wolf_octets(signature), static_cast<word32>(half)) != MP_OKAY ||
      mp_read_unsigned_bin(&s, wolf_octets(signature.substr(half)), static_cast<word32>(half)) !=
          MP_OKAY) {
    return false;
  }
  const digest hash = make_digest(digest_of(alg), input);
  int valid = 0;
  // Checks that r and s are in [1, n-1] before anything else.
  const int code = wc_ecc_verify_hash_ex(&r, &s, hash.octets.data(), static_cast<word32>(hash.size),
                                         &valid, ec.get());
  return code == 0 && valid == 1;
}

// libsodium refuses points of small order and an S that is not below the group's order.
bool verify_eddsa(const public_key& key, std::string_view input,
                  std::string_view signature) noexcept {
  if (signature.size() != crypto_sign_ed25519_BYTES) return false;
  return crypto_sign_ed25519_verify_detached(wolf_octets(signature), wolf_octets(input),
                                             input.size(), wolf_octets(key.x)) == 0;
}

}  // namespace

bool verify_signature(const public_key& key, algorithm alg, std::string_view signing_input,
                      std::string_view signature) noexcept {
  RW_ASSERT(key.fits(alg));
  switch (key.type) {
    case key_type::rsa:
      return verify_rsa(key, alg, signing_input, signature);
    case key_type::p256:
    case key_type::p384:
    case key_type::p521:
      return verify_ecdsa(key, alg, signing_input, signature);
    case key_type::ed25519:
      return verify_eddsa(key, signing_input, signature);
  }
  return false;
}

}  // namespace rw::auth
