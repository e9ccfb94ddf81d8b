#include "tls/authorities.h"

#include <sodium.h>

#include <algorithm>

#include "tls/library.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

// Whether wolfSSL takes it as what others are verified by.
bool is_usable(const std::string& der, wall_time now) {
  const decoded one(der);
  if (!one.ok()) return false;
  const auto from = parse_time(one->beforeDate, one->beforeDateLen);
  const auto until = parse_time(one->afterDate, one->afterDateLen);
  if (!from || !until || now < *from || now > *until) return false;
  const std::unique_ptr<WOLFSSL_CTX, void (*)(WOLFSSL_CTX*)> trial(
      wolfSSL_CTX_new(wolfTLSv1_3_client_method()), &wolfSSL_CTX_free);
  if (!trial) return false;
  wolfSSL_CTX_SetMinRsaKey_Sz(trial.get(), 2048);
  return wolfSSL_CTX_load_verify_buffer(
             trial.get(), reinterpret_cast<const unsigned char*>(der.data()),
             static_cast<long>(der.size()), WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
}

}  // namespace

result<std::shared_ptr<const authorities>> authorities::load(std::string_view pem, wall_time now) {
  if (auto started = library_init(); !started) return failure(started.error());
  auto found = read_certificates(pem, certificates_max);
  if (!found) return failure(found.error());
  std::shared_ptr<authorities> made(new authorities);
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, made->fingerprint_.size());
  for (std::string& der : *found) {
    if (!is_usable(der, now)) {
      ++made->left_out_;
      continue;
    }
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(der.data()),
                              der.size());
    auto& digest = made->digests_.emplace_back();
    crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(),
                       reinterpret_cast<const unsigned char*>(der.data()), der.size(), nullptr, 0);
    made->der_.push_back(std::move(der));
  }
  std::ranges::sort(made->digests_);
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(made->fingerprint_.data()),
                           made->fingerprint_.size());
  if (made->der_.empty()) {
    return failure({.code = fault::invalid,
                    .from = origin::configuration,
                    .text = "holds no certificate of an authority that is valid now"});
  }
  return made;
}

bool authorities::includes(const authorities& other) const noexcept {
  return std::ranges::includes(digests_, other.digests_);
}

}  // namespace rw::tls
