#include "tls/x509.h"

#include <arpa/inet.h>
#include <sodium.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "tls/der.h"
#include "tls/pem.h"

namespace rw::tls {

decoded::decoded(std::string_view der) {
  wc_InitDecodedCert(&certificate_, reinterpret_cast<const unsigned char*>(der.data()),
                     static_cast<word32>(der.size()), nullptr);
  parsed_ = wc_ParseCert(&certificate_, CERT_TYPE, NO_VERIFY, nullptr) == 0;
}

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

static std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

void read_alternative_names(const decoded& leaf, std::vector<std::string>& names,
                            std::vector<std::string>& addresses) {
  for (const DNS_entry* each = leaf->altNames; each != nullptr; each = each->next) {
    const std::string_view value(each->name, static_cast<std::size_t>(each->len));
    if (each->type == ASN_DNS_TYPE && is_dns_name(value)) names.push_back(lower_case(value));
    if (each->type == ASN_IP_TYPE && (value.size() == 4 || value.size() == 16)) {
      addresses.push_back(address_text(value));
    }
  }
}

bool issued_by(const decoded& one, const decoded& issuer) noexcept {
  if (!std::equal(one->issuerHash, one->issuerHash + KEYID_SIZE, issuer->subjectHash)) return false;
  // Two authorities of one name (cross-signing) differ in their keys.
  return !one->extAuthKeyIdSet || !issuer->extSubjKeyIdSet ||
         std::equal(one->extAuthKeyId, one->extAuthKeyId + KEYID_SIZE, issuer->extSubjKeyId);
}

result<std::vector<std::string>> read_certificates(std::string_view pem, std::size_t most) {
  const auto invalid = [](const char* text) {
    return failure({.code = fault::invalid, .from = origin::configuration, .text = text});
  };
  std::vector<std::string> out;
  while (const auto block = next_pem(pem)) {
    if (block->label != "CERTIFICATE" && block->label != "X509 CERTIFICATE" &&
        block->label != "TRUSTED CERTIFICATE") {
      continue;
    }
    if (block->label[0] == 'T') return invalid("holds OpenSSL's TRUSTED CERTIFICATE form");
    auto der = decode_pem(block->body);
    if (!der) return invalid("a certificate is not Base64");
    if (out.size() == most) return invalid("holds too many certificates");
    out.push_back(std::move(*der));
  }
  if (pem.find("-----BEGIN ") != pem.npos) return invalid("its last certificate is cut off");
  if (out.empty()) return invalid("holds no PEM certificate");
  return out;
}

// wolfSSL 5.7 does not give it.
std::optional<std::array<std::byte, 32>> key_digest(std::string_view der) {
  auto inside = next_body(der, der_sequence);
  if (inside) inside = next_body(*inside, der_sequence);  // tbsCertificate
  if (!inside || inside->empty()) return {};
  constexpr char explicit_version = '\xa0';
  // version, serialNumber, signature, issuer, validity, subject
  for (int before = inside->front() == explicit_version ? 6 : 5; before > 0; --before) {
    if (!next_element(*inside)) return {};
  }
  const auto key = next_element(*inside);
  if (!key) return {};
  std::array<std::byte, 32> digest;
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(key->whole.data()), key->whole.size());
  return digest;
}

}  // namespace rw::tls
