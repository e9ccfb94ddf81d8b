#include <arpa/inet.h>
#include <fmt/format.h>
#include <sodium.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <array>
#include <memory>
#include <optional>

#include "base/random.h"
#include "tls/certificate.h"
#include "tls/library.h"
#include "tls/pem.h"

// The few lines of DER a certificate takes, written here: wolfSSL's own generator would bring in
// some 60 KB of code and asks for the subjectAltName in DER all the same.
namespace rw::tls {
namespace {

// Of ASN.1 (X.690), what is used below.
enum tag : unsigned char {
  boolean = 0x01,
  integer = 0x02,
  bit_string = 0x03,
  octet_string = 0x04,
  object = 0x06,
  utf8_string = 0x0c,
  utc_time = 0x17,
  generalized_time = 0x18,
  sequence = 0x30,
  set = 0x31,
  dns_name = 0x82,    // GeneralName [2]
  ip_address = 0x87,  // GeneralName [7]
  explicit_0 = 0xa0,
  explicit_1 = 0xa1,
  explicit_3 = 0xa3
};

std::string der(tag type, std::string_view content) {
  std::string out(1, static_cast<char>(type));
  const std::size_t size = content.size();
  if (size >= 0x80) out += static_cast<char>(size < 0x100 ? 0x81 : 0x82);
  if (size >= 0x100) out += static_cast<char>(size >> 8U);
  out += static_cast<char>(size & 0xffU);
  return out.append(content);
}

using namespace std::string_view_literals;
constexpr auto id_ec_public_key = "\x2a\x86\x48\xce\x3d\x02\x01"sv;
constexpr auto id_prime256v1 = "\x2a\x86\x48\xce\x3d\x03\x01\x07"sv;
constexpr auto id_ecdsa_with_sha256 = "\x2a\x86\x48\xce\x3d\x04\x03\x02"sv;
constexpr auto id_common_name = "\x55\x04\x03"sv;
constexpr auto id_subject_key_id = "\x55\x1d\x0e"sv;
constexpr auto id_key_usage = "\x55\x1d\x0f"sv;
constexpr auto id_subject_alt_name = "\x55\x1d\x11"sv;
constexpr auto id_basic_constraints = "\x55\x1d\x13"sv;
constexpr auto id_ext_key_usage = "\x55\x1d\x25"sv;
constexpr auto id_server_auth = "\x2b\x06\x01\x05\x05\x07\x03\x01"sv;

std::string bits(std::string_view bytes) {
  return der(bit_string, std::string(1, '\0').append(bytes));
}

// RFC 5280 4.1.2.5: years until 2049 with two digits, later ones with four.
std::string time(std::chrono::sys_seconds seconds) {
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  const int year = static_cast<int>(date.year());
  const bool two_digits = year >= 1950 && year < 2050;
  const std::string text = fmt::format(
      "{:0{}}{:02}{:02}{:02}{:02}{:02}Z", two_digits ? year % 100 : year, two_digits ? 2 : 4,
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
      clock.minutes().count(), clock.seconds().count());
  return der(two_digits ? utc_time : generalized_time, text);
}

std::string extension(std::string_view id, bool critical, std::string_view value) {
  return der(sequence,
             der(object, id) + (critical ? der(boolean, "\xff") : "") + der(octet_string, value));
}

std::optional<std::string> alternative_names(std::span<const std::string> names,
                                             std::span<const std::string> addresses) {
  std::string out;
  for (const std::string& name : names) out += der(dns_name, name);
  for (const std::string& address : addresses) {
    char bytes[16];
    if (inet_pton(AF_INET, address.c_str(), bytes) == 1) {
      out += der(ip_address, {bytes, 4});
    } else if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) {
      out += der(ip_address, {bytes, 16});
    } else {
      return {};
    }
  }
  if (out.empty()) return {};
  return der(sequence, out);
}

// A P-256 key pair and its random generator, which wolfCrypt wants for blinding as well.
class key_pair {
 public:
  key_pair() {
    ok_ = wc_InitRng(&random_) == 0 && wc_ecc_init(&key_) == 0 &&
          wc_ecc_set_rng(&key_, &random_) == 0 &&
          wc_ecc_make_key_ex(&random_, 32, &key_, ECC_SECP256R1) == 0;
  }
  ~key_pair() {
    wc_ecc_free(&key_);
    wc_FreeRng(&random_);
  }
  key_pair(const key_pair&) = delete;
  key_pair& operator=(const key_pair&) = delete;

  // The uncompressed point (SEC 1 2.3.3).
  std::string public_point() {
    std::array<unsigned char, 65> out;
    word32 size = out.size();
    ok_ = ok_ && wc_ecc_export_x963(&key_, out.data(), &size) == 0 && size == out.size();
    return {reinterpret_cast<const char*>(out.data()), out.size()};
  }

  // PKCS#8 (RFC 5208) around SEC 1's ECPrivateKey (RFC 5915).
  secret pkcs8(std::string_view point) {
    std::array<unsigned char, 32> scalar{};
    word32 size = scalar.size();
    ok_ = ok_ && wc_ecc_export_private_only(&key_, scalar.data(), &size) == 0;
    std::string inner = der(integer, "\x01") +
                        der(octet_string, {reinterpret_cast<const char*>(scalar.data()), 32}) +
                        der(explicit_1, bits(point));
    wipe(scalar.data(), scalar.size());
    std::string plain = der(sequence, inner);
    wipe(inner.data(), inner.size());
    std::string outer = der(integer, std::string(1, '\0')) +
                        der(sequence, der(object, id_ec_public_key) + der(object, id_prime256v1)) +
                        der(octet_string, plain);
    wipe(plain.data(), plain.size());
    std::string whole = der(sequence, outer);
    wipe(outer.data(), outer.size());
    std::string text;
    append_pem(text, "PRIVATE KEY", whole);
    wipe(whole.data(), whole.size());
    secret out(text);
    wipe(text.data(), text.size());
    return out;
  }

  // ECDSA with SHA-256 over `message`, in DER.
  std::string sign(std::string_view message) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest;
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(message.data()),
                       message.size());
    std::array<unsigned char, ECC_MAX_SIG_SIZE> out;
    word32 size = out.size();
    ok_ = ok_ &&
          wc_ecc_sign_hash(digest.data(), digest.size(), out.data(), &size, &random_, &key_) == 0;
    return {reinterpret_cast<const char*>(out.data()), ok_ ? size : 0};
  }

  bool ok() const noexcept { return ok_; }

 private:
  WC_RNG random_{};
  ecc_key key_{};
  bool ok_ = false;
};

std::string extensions(std::string_view alternative, std::string_view point) {
  std::array<unsigned char, 20> id;
  crypto_generichash(id.data(), id.size(), reinterpret_cast<const unsigned char*>(point.data()),
                     point.size(), nullptr, 0);
  const std::string key_id =
      der(octet_string, {reinterpret_cast<const char*>(id.data()), id.size()});
  // A CA of its own (so that it can be trusted by itself) that signs nothing else: path length 0.
  const std::string constraints =
      der(sequence, der(boolean, "\xff") + der(integer, std::string(1, '\0')));
  // digitalSignature, keyCertSign
  const std::string usage = der(bit_string, "\x02\x84");
  return der(explicit_3, der(sequence, extension(id_basic_constraints, true, constraints) +
                                           extension(id_key_usage, true, usage) +
                                           extension(id_ext_key_usage, false,
                                                     der(sequence, der(object, id_server_auth))) +
                                           extension(id_subject_key_id, false, key_id) +
                                           extension(id_subject_alt_name, false, alternative)));
}

}  // namespace

result<self_signed> make_self_signed(std::span<const std::string> names,
                                     std::span<const std::string> addresses, wall_time now,
                                     std::chrono::seconds validity) {
  if (auto started = library_init(); !started) return failure(started.error());
  const auto alternative = alternative_names(names, addresses);
  if (!alternative) {
    return failure({.code = fault::invalid, .text = "a certificate for no name or a bad address"});
  }
  key_pair key;
  const std::string point = key.public_point();

  std::array<std::byte, 16> serial;  // RFC 5280 4.1.2.2: positive, unpredictable
  random_bytes(serial);
  serial[0] = (serial[0] & std::byte{0x3f}) | std::byte{0x40};

  const auto start = std::chrono::floor<std::chrono::seconds>(now);
  const std::string algorithm = der(sequence, der(object, id_ecdsa_with_sha256));
  const std::string name =
      der(sequence, der(set, der(sequence, der(object, id_common_name) +
                                               der(utf8_string, "Ringward, self-signed"))));
  const std::string public_key =
      der(sequence,
          der(sequence, der(object, id_ec_public_key) + der(object, id_prime256v1)) + bits(point));
  const std::string body = der(
      sequence, der(explicit_0, der(integer, "\x02")) +  // version 3
                    der(integer, {reinterpret_cast<const char*>(serial.data()), serial.size()}) +
                    algorithm + name +
                    der(sequence, time(start - std::chrono::hours(1)) + time(start + validity)) +
                    name + public_key + extensions(*alternative, point));
  const std::string whole = der(sequence, body + algorithm + bits(key.sign(body)));

  self_signed out;
  append_pem(out.chain_pem, "CERTIFICATE", whole);
  out.key_pem = key.pkcs8(point);
  if (!key.ok()) return failure({.code = fault::tls, .text = "wolfCrypt makes no P-256 key"});
  return out;
}

}  // namespace rw::tls
