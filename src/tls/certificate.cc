#include "tls/certificate.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
// asn.h comes after ssl.h: it needs what that one defines
#include <wolfssl/wolfcrypt/asn.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "base/text.h"
#include "tls/library.h"
#include "tls/pem.h"

namespace rw::tls {
namespace {

failure invalid(const char* text) {
  return failure({.code = fault::invalid, .from = origin::configuration, .text = text});
}

// wolfSSL's view of one certificate; points into the DER it was made from.
class decoded {
 public:
  explicit decoded(std::string_view der) {
    wc_InitDecodedCert(&certificate_, reinterpret_cast<const unsigned char*>(der.data()),
                       static_cast<word32>(der.size()), nullptr);
    parsed_ = wc_ParseCert(&certificate_, CERT_TYPE, NO_VERIFY, nullptr) == 0;
  }
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
std::optional<wall_time> parse_time(const unsigned char* asn1, int size) {
  if (size < 2 || (asn1[0] != ASN_UTC_TIME && asn1[0] != ASN_GENERALIZED_TIME)) return {};
  const std::string_view text(reinterpret_cast<const char*>(asn1) + 2, asn1[1]);
  const std::size_t year_digits = asn1[0] == ASN_UTC_TIME ? 2 : 4;
  if (static_cast<std::size_t>(size) < text.size() + 2 || text.size() != year_digits + 11 ||
      text.back() != 'Z' ||
      !std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= '0' && c <= '9'; })) {
    return {};
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  int year = number(0, year_digits);
  if (year_digits == 2) year += year < 50 ? 2000 : 1900;
  const auto at = [&](std::size_t i) { return number(year_digits + 2 * i, 2); };
  const std::chrono::year_month_day day(std::chrono::year(year),
                                        std::chrono::month(static_cast<unsigned>(at(0))),
                                        std::chrono::day(static_cast<unsigned>(at(1))));
  if (!day.ok()) return {};
  const auto seconds = std::chrono::sys_seconds(std::chrono::sys_days(day)) +
                       std::chrono::hours(at(2)) + std::chrono::minutes(at(3)) +
                       std::chrono::seconds(at(4));
  // 9999-12-31, "never", is past what 64 bits of nanoseconds hold.
  if (seconds > std::chrono::floor<std::chrono::seconds>(wall_time::max())) return wall_time::max();
  if (seconds < std::chrono::ceil<std::chrono::seconds>(wall_time::min())) return wall_time::min();
  return wall_time(seconds);
}

bool is_dns_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '*';
  });
}

std::string lower_case(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

// Subject alternative names; the common name counts only where there are none at all.
void read_names(const decoded& leaf, std::vector<std::string>& names,
                std::vector<std::string>& addresses) {
  for (const DNS_entry* each = leaf->altNames; each != nullptr; each = each->next) {
    const std::string_view value(each->name, static_cast<std::size_t>(each->len));
    if (each->type == ASN_DNS_TYPE && is_dns_name(value)) names.push_back(lower_case(value));
    if (each->type == ASN_IP_TYPE && (value.size() == 4 || value.size() == 16)) {
      addresses.push_back(address_text(value));
    }
  }
  if (leaf->extSubjAltNameSet || leaf->subjectCN == nullptr) return;
  const std::string_view name(leaf->subjectCN, static_cast<std::size_t>(leaf->subjectCNLen));
  if (is_dns_name(name)) names.push_back(lower_case(name));
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

bool issued_by(const decoded& one, const decoded& issuer) noexcept {
  if (!std::equal(one->issuerHash, one->issuerHash + KEYID_SIZE, issuer->subjectHash)) return false;
  // Two authorities of one name (cross-signing) differ in their keys.
  return !one->extAuthKeyIdSet || !issuer->extSubjKeyIdSet ||
         std::equal(one->extAuthKeyId, one->extAuthKeyId + KEYID_SIZE, issuer->extSubjKeyId);
}

result<std::vector<std::string>> read_chain(std::string_view pem) {
  constexpr std::size_t certificates_max = 10;  // what clients follow
  std::vector<std::string> out;
  while (const auto block = next_pem(pem)) {
    if (block->label != "CERTIFICATE" && block->label != "X509 CERTIFICATE" &&
        block->label != "TRUSTED CERTIFICATE") {
      continue;
    }
    if (block->label[0] == 'T')
      return invalid("the chain holds OpenSSL's TRUSTED CERTIFICATE form");
    auto der = decode_pem(block->body);
    if (!der) return invalid("a certificate of the chain is not Base64");
    if (out.size() == certificates_max) return invalid("the chain is longer than 10 certificates");
    out.push_back(std::move(*der));
  }
  if (pem.find("-----BEGIN ") != pem.npos) return invalid("the chain's last block is cut off");
  if (out.empty()) return invalid("the chain file holds no PEM certificate");
  return out;
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
  const auto chain = read_chain(chain_pem);
  if (!chain) return failure(chain.error());
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
      read_names(*one, out.names_, out.addresses_);
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
