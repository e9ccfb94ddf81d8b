#include "tls/traffic_keys.h"

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "base/secret.h"

namespace rw::tls {
namespace {

// HKDF-Expand-Label with an empty context (RFC 8446 7.1).
bool expand(std::span<const std::byte> secret, std::string_view label,
            std::span<std::byte> out) noexcept {
  constexpr std::string_view prefix = "tls13 ";
  std::array<unsigned char, 2 + 1 + 32 + 1> info{};
  const std::size_t size = prefix.size() + label.size();
  RW_ASSERT(size <= 32 && out.size() <= 0xff);
  info[1] = static_cast<unsigned char>(out.size());
  info[2] = static_cast<unsigned char>(size);
  std::copy(prefix.begin(), prefix.end(), info.begin() + 3);
  std::copy(label.begin(), label.end(), info.begin() + 3 + prefix.size());
  // In wolfSSL 5.7 the two are of different enumerations.
  int hash = WC_SHA256;
  if (secret.size() == WC_SHA384_DIGEST_SIZE) hash = WC_SHA384;
  return wc_HKDF_Expand(
             hash, reinterpret_cast<const unsigned char*>(secret.data()),
             static_cast<word32>(secret.size()), info.data(), static_cast<word32>(2 + 1 + size + 1),
             reinterpret_cast<unsigned char*>(out.data()), static_cast<word32>(out.size())) == 0;
}

}  // namespace

traffic_keys::~traffic_keys() {
  wipe(key.data(), key.size());
  wipe(iv.data(), iv.size());
}

traffic_secret::traffic_secret(std::span<const std::byte> secret) noexcept : size_(secret.size()) {
  RW_ASSERT(size_ == WC_SHA256_DIGEST_SIZE || size_ == WC_SHA384_DIGEST_SIZE);
  std::copy(secret.begin(), secret.end(), bytes_.begin());
}

traffic_secret::~traffic_secret() { wipe(bytes_.data(), bytes_.size()); }

bool traffic_secret::derive(aead cipher, traffic_keys& out) const noexcept {
  const auto secret = std::span(bytes_).first(size_);
  out.cipher = cipher;
  out.tls13 = true;
  out.sequence = 0;
  return expand(secret, "key", std::span(out.key).first(key_bytes(cipher))) &&
         expand(secret, "iv", out.iv);
}

bool traffic_secret::advance() noexcept {
  std::array<std::byte, bytes_max> next{};
  const bool done =
      expand(std::span(bytes_).first(size_), "traffic upd", std::span(next).first(size_));
  if (done) bytes_ = next;
  wipe(next.data(), next.size());
  return done;
}

}  // namespace rw::tls
