#include "tls/verification.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <wolfssl/error-ssl.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "tls/holder_name.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

using flaw = codec::flaw;

constexpr std::size_t path_max = 10;  // certificates on the way up; wolfSSL takes no longer chain

flaw flaw_of(int code) noexcept {
  switch (code) {
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
    case ASN_SIG_CONFIRM_E:
    case ASN_NAME_INVALID_E:
    case ASN_PATHLEN_SIZE_E:
    case ASN_PATHLEN_INV_E:
    case NOT_CA_ERROR:
      return flaw::untrusted;
    case ASN_AFTER_DATE_E:
      return flaw::expired;
    case ASN_BEFORE_DATE_E:
      return flaw::not_yet_valid;
    default:
      return flaw::unfit;
  }
}

const unsigned char* bytes_of(std::string_view der) noexcept {
  return reinterpret_cast<const unsigned char*>(der.data());
}

// Whether the signature of `one` was made with the key of `issuer`. Dates are not its business.
bool is_signed_by(std::string_view one, std::string_view issuer) {
  const std::unique_ptr<WOLFSSL_CERT_MANAGER, void (*)(WOLFSSL_CERT_MANAGER*)> alone(
      wolfSSL_CertManagerNew(), &wolfSSL_CertManagerFree);
  if (!alone || wolfSSL_CertManagerLoadCABuffer_ex(
                    alone.get(), bytes_of(issuer), static_cast<long>(issuer.size()),
                    WOLFSSL_FILETYPE_ASN1, 0, WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY) != WOLFSSL_SUCCESS) {
    return false;
  }
  const int code = wolfSSL_CertManagerVerifyBuffer(
      alone.get(), bytes_of(one), static_cast<long>(one.size()), WOLFSSL_FILETYPE_ASN1);
  return code == WOLFSSL_SUCCESS || code == ASN_AFTER_DATE_E || code == ASN_BEFORE_DATE_E;
}

bool is_pinned(std::string_view der, const client_options& by) {
  const auto key = key_digest(der);
  return key && std::find(by.pins.begin(), by.pins.end(), *key) != by.pins.end();
}

int on_certificate(int, WOLFSSL_X509_STORE_CTX* store) {
  auto& check = *static_cast<server_check*>(store->userCtx);
  check.asked = true;
  const auto refuse = [&](flaw why) {
    check.found = why;
    return 0;
  };
  const int code = store->error;
  if (code != 0 && check.by.verify) return refuse(flaw_of(code));
  if (store->error_depth != 0) return 1;
  std::vector<std::string_view> sent;
  sent.reserve(static_cast<std::size_t>(store->totalCerts));
  for (int i = 0; i < store->totalCerts; ++i) {
    sent.emplace_back(reinterpret_cast<const char*>(store->certs[i].buffer),
                      store->certs[i].length);
  }
  if (sent.empty()) return refuse(flaw::untrusted);
  if (check.by.verify && !is_for(sent.front(), check.name)) return refuse(flaw::name);
  if (!check.by.pins.empty() && !has_pin(sent, check.by)) return refuse(flaw::pin);
  return 1;
}

// Whoever can make two texts of one SHA-1 can have signed what nobody has signed. What signs itself
// is trusted for something else, or not at all.
bool is_weakly_signed(const decoded& one) noexcept {
  return (one->signatureOID == CTC_SHAwRSA || one->signatureOID == CTC_SHAwECDSA) &&
         !std::equal(one->issuerHash, one->issuerHash + KEYID_SIZE, one->subjectHash);
}

// What is kept of a certificate that was found good, and of those it came with; null: it is not.
std::unique_ptr<peer_certificate> keep(const WOLFSSL_X509_STORE_CTX& store) {
  auto kept = std::make_unique<peer_certificate>();
  const WOLFSSL_BUFFER_INFO& leaf = store.certs[0];
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(kept->thumbprint.data()), leaf.buffer,
                     leaf.length);
  for (int i = 0; i < store.totalCerts; ++i) {
    const decoded one(
        {reinterpret_cast<const char*>(store.certs[i].buffer), store.certs[i].length});
    if (!one.ok() || is_weakly_signed(one)) return nullptr;
    const auto until = parse_time(one->afterDate, one->afterDateLen);
    if (!until) return nullptr;
    kept->not_after = std::min(kept->not_after, *until);
  }
  if (auto name = holder_name({reinterpret_cast<const char*>(leaf.buffer), leaf.length})) {
    kept->name = std::move(*name);
  }
  return kept;
}

int on_client_certificate(int, WOLFSSL_X509_STORE_CTX* store) {
  auto& check = *static_cast<client_check*>(store->userCtx);
  check.asked = true;
  if (store->error != 0) {
    check.found = flaw_of(store->error);
    check.shown.reset();
    return 0;
  }
  // Also asked, with nothing to look at, about a client that shows no certificate where it may.
  if (store->error_depth != 0 || store->totalCerts == 0) return 1;
  check.shown = keep(*store);
  if (!check.shown) check.found = flaw::unfit;
  return check.shown ? 1 : 0;
}

}  // namespace

bool is_for(std::string_view leaf_der, std::string_view name) {
  const decoded leaf(leaf_der);
  if (!leaf.ok()) return false;
  std::vector<std::string> names;
  std::vector<std::string> addresses;
  read_alternative_names(leaf, names, addresses);
  in6_addr bytes{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, std::string(name).c_str(), &bytes) != 1) continue;
    char text[INET6_ADDRSTRLEN];  // one spelling of an address
    inet_ntop(family, &bytes, text, sizeof text);
    return std::find(addresses.begin(), addresses.end(), text) != addresses.end();
  }
  const std::string wanted = lower_case(name);
  const auto dot = wanted.find('.');
  const bool has_parent = dot != wanted.npos && dot > 0 && wanted.find('.', dot + 1) != wanted.npos;
  const std::string wildcard = has_parent ? "*" + wanted.substr(dot) : std::string();
  return std::any_of(names.begin(), names.end(), [&](const std::string& one) {
    return one == wanted || (has_parent && one == wildcard);
  });
}

bool has_pin(std::span<const std::string_view> sent, const client_options& by) {
  std::vector<std::string_view> others(sent.begin() + 1, sent.end());
  if (by.trusted) {
    const auto roots = by.trusted->certificates();
    others.insert(others.end(), roots.begin(), roots.end());
  }
  // Every certificate is gone over once: a pin counts wherever a way of signatures leads to it.
  std::vector<std::string_view> reached{sent.front()};
  for (std::size_t i = 0; i < reached.size() && i < path_max; ++i) {
    if (is_pinned(reached[i], by)) return true;
    const decoded one(reached[i]);
    if (!one.ok()) continue;
    for (const std::string_view candidate : others) {
      if (std::find(reached.begin(), reached.end(), candidate) != reached.end()) continue;
      const decoded issuer(candidate);
      if (issuer.ok() && issued_by(one, issuer) && is_signed_by(reached[i], candidate)) {
        reached.push_back(candidate);
      }
    }
  }
  return false;
}

void attach_verification(WOLFSSL_CTX* context) noexcept {
  wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, &on_certificate);
}

void attach_client_verification(WOLFSSL_CTX* context, bool required) noexcept {
  const int how = WOLFSSL_VERIFY_PEER | (required ? WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  wolfSSL_CTX_set_verify(context, how, &on_client_certificate);
}

}  // namespace rw::tls
