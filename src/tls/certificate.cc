#include "tls/certificate.h"

#include <sodium.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tls/library.h"
#include "tls/pem.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

failure invalid(const char* text) {
  return failure({.code = fault::invalid, .from = origin::configuration, .text = text});
}

std::optional<key_kind> kind_of(const decoded& leaf) noexcept {
  switch (leaf->keyOID) {
    case RSAk:
    case RSAPSSk:
      return key_kind::rsa;
    case ECDSAk:
      return key_kind::ecdsa;
    case ED25519k:
      return key_kind::ed25519;
    default:
      return {};
  }
}

result<secret> read_key(std::string_view pem) {
  while (const auto block = next_pem(pem)) {
    if (block->label == "ENCRYPTED PRIVATE KEY" ||
        block->body.find("ENCRYPTED") != std::string_view::npos) {
      return invalid("the private key is encrypted; Ringward has nobody to ask for its password");
    }
    if (!block->label.ends_with("PRIVATE KEY")) continue;  // EC PARAMETERS, certificates
    auto der = decode_pem(block->body);
    if (!der) return invalid("the private key is not Base64");
    secret out(*der);
    wipe(der->data(), der->size());
    return out;
  }
  return invalid("the key file holds no PEM private key");
}

// Whether wolfSSL takes both and finds that they belong together.
result<> check_pair(const std::string& chain_pem, const secret& key) {
  struct closer {
    void operator()(WOLFSSL_CTX* context) const noexcept { wolfSSL_CTX_free(context); }
  };
  const std::unique_ptr<WOLFSSL_CTX, closer> context(wolfSSL_CTX_new(wolfSSLv23_server_method()));
  if (!context) return failure({.code = fault::exhausted, .text = "no memory for a certificate"});
  wolfSSL_CTX_SetMinRsaKey_Sz(context.get(), 2048);
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  const int chain = wolfSSL_CTX_use_certificate_chain_buffer_format(
      context.get(), bytes(chain_pem), static_cast<long>(chain_pem.size()), WOLFSSL_FILETYPE_PEM);
  if (chain == RSA_KEY_SIZE_E) return invalid("an RSA key of the chain is shorter than 2048 bits");
  if (chain != WOLFSSL_SUCCESS) return invalid("wolfSSL refuses the certificate chain");
  if (wolfSSL_CTX_use_PrivateKey_buffer(context.get(), bytes(key.view()),
                                        static_cast<long>(key.view().size()),
                                        WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
    return invalid(
        "the private key is none that TLS can use (RSA, ECDSA on P-256/384/521, Ed25519)");
  }
  if (wolfSSL_CTX_check_private_key(context.get()) != WOLFSSL_SUCCESS) {
    return invalid("the private key does not belong to the first certificate of the chain");
  }
  return {};
}

}  // namespace

result<certificate> certificate::load(std::string_view chain_pem, const secret& key_pem) {
  if (auto started = library_init(); !started) return failure(started.error());
  constexpr std::size_t certificates_max = 10;  // what clients follow
  const auto chain = read_certificates(chain_pem, certificates_max + 1);
  if (!chain) return failure(chain.error());
  if (chain->size() > certificates_max) {
    return invalid("the chain is longer than 10 certificates");
  }
  auto key = read_key(key_pem.view());
  if (!key) return failure(key.error());

  certificate out;
  out.key_der_ = std::move(*key);
  std::unique_ptr<decoded> before;
  for (const std::string& der : *chain) {
    auto one = std::make_unique<decoded>(der);
    if (!one->ok()) return invalid("a certificate of the chain does not parse");
    if (before && !issued_by(*before, *one)) {
      return invalid("the chain is out of order: leaf first, then the issuer of each");
    }
    const auto from = parse_time((*one)->beforeDate, (*one)->beforeDateLen);
    const auto until = parse_time((*one)->afterDate, (*one)->afterDateLen);
    if (!from || !until) return invalid("a certificate of the chain has no valid dates");
    out.not_before_ = before ? std::max(out.not_before_, *from) : *from;
    out.not_after_ = before ? std::min(out.not_after_, *until) : *until;
    if (!before) {
      const auto kind = kind_of(*one);
      if (!kind) return invalid("the certificate's key is of a kind that TLS here cannot use");
      out.kind_ = *kind;
      read_alternative_names(*one, out.names_, out.addresses_);
      if (!(*one)->extSubjAltNameSet && (*one)->subjectCN != nullptr) {
        const std::string_view name((*one)->subjectCN,
                                    static_cast<std::size_t>((*one)->subjectCNLen));
        if (is_dns_name(name)) out.names_.push_back(lower_case(name));
      }
    }
    append_pem(out.chain_pem_, "CERTIFICATE", der);
    before = std::move(one);
  }
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(out.fingerprint_.data()),
                     reinterpret_cast<const unsigned char*>(chain->front().data()),
                     chain->front().size());
  if (auto pair = check_pair(out.chain_pem_, out.key_der_); !pair) return failure(pair.error());
  return out;
}

}  // namespace rw::tls
