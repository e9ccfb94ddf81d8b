#include "tls/holder_name.h"

#include <optional>

#include "base/text.h"
#include "tls/der.h"
#include "tls/x509.h"

namespace rw::tls {
namespace {

using std::string_view_literals::operator""sv;

constexpr auto subject_alt_name = "\x55\x1d\x11"sv;  // 2.5.29.17
constexpr auto common_name = "\x55\x04\x03"sv;       // 2.5.4.3

// What of a certificate says who its holder is.
struct names {
  std::size_t uris = 0;
  std::string_view uri;  // the first, as the others are
  std::size_t dns_names = 0;
  std::string_view dns_name;
  std::size_t common_names = 0;
  std::string_view common_name;
  bool is_text = true;  // the common name is in a string whose octets are its characters
};

failure refuse(const char* text) {
  return failure({.code = fault::invalid, .from = origin::downstream, .text = text});
}

// GeneralNames, RFC 5280 4.2.1.6: context tags, IA5Strings.
bool read_alternatives(std::string_view extension, names& out) {
  constexpr unsigned char dns_tag = 0x82;
  constexpr unsigned char uri_tag = 0x86;
  auto list = next_body(extension, der_sequence);
  if (!list || !extension.empty()) return false;
  while (!list->empty()) {
    const auto one = next_element(*list);
    if (!one) return false;
    if (one->tag == uri_tag && out.uris++ == 0) out.uri = one->body;
    if (one->tag == dns_tag && out.dns_names++ == 0) out.dns_name = one->body;
  }
  return true;
}

// [3], RFC 5280 4.1: SEQUENCE OF { extnID, critical DEFAULT FALSE, extnValue }
bool read_extensions(std::string_view tagged, names& out) {
  constexpr unsigned char boolean = 0x01;
  auto list = next_body(tagged, der_sequence);
  if (!list || !tagged.empty()) return false;
  bool seen = false;
  while (!list->empty()) {
    auto one = next_body(*list, der_sequence);
    if (!one) return false;
    const auto id = next_body(*one, der_oid);
    next_body(*one, boolean);
    const auto value = next_body(*one, der_octets);
    if (!id || !value || !one->empty()) return false;
    if (*id != subject_alt_name) continue;
    if (seen || !read_alternatives(*value, out)) return false;
    seen = true;
  }
  return true;
}

// RDNSequence: SEQUENCE OF SET OF { type, value }
bool read_subject(std::string_view subject, names& out) {
  constexpr auto texts = "\x0c\x13\x16"sv;  // UTF8String, PrintableString, IA5String
  while (!subject.empty()) {
    auto set = next_body(subject, der_set);
    if (!set) return false;
    while (!set->empty()) {
      auto one = next_body(*set, der_sequence);
      if (!one) return false;
      const auto type = next_body(*one, der_oid);
      const auto value = next_element(*one);
      if (!type || !value || !one->empty()) return false;
      if (*type != common_name || out.common_names++ > 0) continue;
      out.common_name = value->body;
      out.is_text = texts.contains(static_cast<char>(value->tag));
    }
  }
  return true;
}

bool read_names(std::string_view der, names& out) {
  constexpr unsigned char version = 0xa0;
  constexpr unsigned char extensions = 0xa3;
  constexpr unsigned char integer = 0x02;
  auto certificate = next_body(der, der_sequence);
  if (!certificate || !der.empty()) return false;
  auto fields = next_body(*certificate, der_sequence);
  if (!fields) return false;
  next_body(*fields, version);
  // serialNumber, signature, issuer, validity
  if (!next_body(*fields, integer)) return false;
  for (int i = 0; i < 3; ++i) {
    if (!next_body(*fields, der_sequence)) return false;
  }
  const auto subject = next_body(*fields, der_sequence);
  if (!subject || !read_subject(*subject, out)) return false;
  if (!next_body(*fields, der_sequence)) return false;  // subjectPublicKeyInfo
  bool seen = false;
  while (!fields->empty()) {  // unique identifiers, extensions
    const auto one = next_element(*fields);
    if (!one || seen) return false;
    seen = one->tag == extensions;
    if (seen && !read_extensions(one->body, out)) return false;
  }
  return true;
}

result<std::string> checked(std::string_view name) {
  if (name.empty()) return refuse("the certificate's name is empty");
  if (name.size() > holder_name_bytes_max) {
    return refuse("the certificate's name has more than 256 octets");
  }
  if (!is_visible_ascii(name)) return refuse("the certificate's name is not visible ASCII alone");
  return std::string(name);
}

}  // namespace

result<std::string> holder_name(std::string_view der) {
  names found;
  if (!read_names(der, found)) return refuse("the certificate is not DER");
  if (found.uris > 1) return refuse("the certificate has several URIs");
  if (found.uris == 1) return checked(found.uri);
  if (found.dns_names > 0) {
    if (found.dns_name.contains('*')) return refuse("the certificate's DNS name is a wildcard");
    result<std::string> name = checked(found.dns_name);
    return name ? lower_case(*name) : name;
  }
  if (found.common_names > 1) return refuse("the certificate has several common names");
  if (found.common_names == 0) return refuse("the certificate names nobody");
  if (!found.is_text) return refuse("the certificate's common name is in no string of ASCII");
  return checked(found.common_name);
}

}  // namespace rw::tls
