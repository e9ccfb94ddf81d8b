#include "auth/signer.h"

#include <sodium.h>

#include "auth/digest.h"
#include "auth/signature.h"
#include "auth/wolf_key.h"
#include "base/assert.h"
// Needs wolfCrypt's settings, which wolf_key.h brings.
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/random.h>

namespace rw::auth {

namespace {

constexpr error bad_key{.code = fault::invalid,
                        .from = origin::configuration,
                        .text = "the private key's numbers do not belong together"};

word32 size32(std::string_view text) noexcept { return static_cast<word32>(text.size()); }

byte* writable(std::string& text) noexcept { return reinterpret_cast<byte*>(text.data()); }

result<std::string> sign_rsa(const private_key& key, std::string_view input, WC_RNG* random) {
  rsa_key_guard rsa;
  const auto number = [&](std::size_t i) { return key.rsa[i].view(); };
  if (wc_RsaPrivateKeyDecodeRaw(wolf_octets(key.pub.n), size32(key.pub.n), wolf_octets(key.pub.e),
                                size32(key.pub.e), wolf_octets(number(0)), size32(number(0)),
                                wolf_octets(number(5)), size32(number(5)), wolf_octets(number(1)),
                                size32(number(1)), wolf_octets(number(2)), size32(number(2)),
                                wolf_octets(number(3)), size32(number(3)), wolf_octets(number(4)),
                                size32(number(4)), rsa.get()) != 0) {
    return std::unexpected(bad_key);
  }
  const digest_kind kind = digest_of(key.alg());
  const digest hash = make_digest(kind, input);
  const auto hash_size = static_cast<word32>(hash.size);
  std::string out(key.pub.n.size(), '\0');
  int size = 0;
  if (is_pss(key.alg())) {
    const bool sha256 = kind == digest_kind::sha256;
    const bool sha384 = kind == digest_kind::sha384;
    const wc_HashType type =
        sha256 ? WC_HASH_TYPE_SHA256 : (sha384 ? WC_HASH_TYPE_SHA384 : WC_HASH_TYPE_SHA512);
    const int mgf = sha256 ? WC_MGF1SHA256 : (sha384 ? WC_MGF1SHA384 : WC_MGF1SHA512);
    size = wc_RsaPSS_Sign_ex(hash.octets.data(), hash_size, writable(out), size32(out), type, mgf,
                             static_cast<int>(hash.size), rsa.get(), random);
  } else {
    const int oid = kind == digest_kind::sha256   ? SHA256h
                    : kind == digest_kind::sha384 ? SHA384h
                                                  : SHA512h;
    byte info[MAX_DER_DIGEST_SZ];
    const word32 info_size = wc_EncodeSignature(info, hash.octets.data(), hash_size, oid);
    size = wc_RsaSSL_Sign(info, info_size, writable(out), size32(out), rsa.get(), random);
  }
  if (size != static_cast<int>(out.size())) return std::unexpected(bad_key);
  return out;
}

result<std::string> sign_ecdsa(const private_key& key, std::string_view input, WC_RNG* random) {
  ec_key_guard ec;
  mp_int r;
  mp_int s;
  if (!ec.import_private(key.pub, key.d.view()) || mp_init(&r) != MP_OKAY ||
      mp_init(&s) != MP_OKAY) {
    return std::unexpected(bad_key);
  }
  const digest hash = make_digest(digest_of(key.alg()), input);
  const auto half = static_cast<int>(field_bytes(key.pub.type));
  std::string out(2 * static_cast<std::size_t>(half), '\0');
  if (wc_ecc_sign_hash_ex(hash.octets.data(), static_cast<word32>(hash.size), random, ec.get(), &r,
                          &s) != 0 ||
      mp_to_unsigned_bin_len(&r, writable(out), half) != MP_OKAY ||
      mp_to_unsigned_bin_len(&s, writable(out) + half, half) != MP_OKAY) {
    return std::unexpected(bad_key);
  }
  return out;
}

}  // namespace

struct signer::generator {
  WC_RNG random;
  bool ready = wc_InitRng(&random) == 0;
  generator() = default;
  generator(const generator&) = delete;
  generator& operator=(const generator&) = delete;
  ~generator() {
    if (ready) wc_FreeRng(&random);
  }
};

signer::signer(std::unique_ptr<generator> random) : random_(std::move(random)) {}
signer::signer(signer&&) noexcept = default;
signer& signer::operator=(signer&&) noexcept = default;
signer::~signer() = default;

result<signer> signer::make() {
  auto random = std::make_unique<generator>();
  if (!random->ready) {
    return failure({.code = fault::system, .text = "the random generator cannot be seeded"});
  }
  return signer(std::move(random));
}

result<std::string> signer::sign(const private_key& key, std::string_view signing_input) {
  switch (key.pub.type) {
    case key_type::rsa:
      return sign_rsa(key, signing_input, &random_->random);
    case key_type::p256:
    case key_type::p384:
    case key_type::p521:
      return sign_ecdsa(key, signing_input, &random_->random);
    case key_type::ed25519:
      break;
  }
  std::string out(crypto_sign_ed25519_BYTES, '\0');
  crypto_sign_ed25519_detached(writable(out), nullptr, wolf_octets(signing_input),
                               signing_input.size(), wolf_octets(key.d.view()));
  return out;
}

}  // namespace rw::auth
