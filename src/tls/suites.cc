#include "tls/suites.h"

#include <wolfssl/version.h>

#include <algorithm>
#include <array>

#include "tls/context.h"
#include "tls/library.h"

namespace rw::tls {
namespace {

using enum suite::auth;
using enum aead;

// The order is the default one where the CPU has AES; ChaCha20 moves to the front where it has not.
constexpr std::array<suite, 9> all_suites = {{
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256", 0x1301, any,
     aes128_gcm},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384", 0x1302, any,
     aes256_gcm},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
     "TLS13-CHACHA20-POLY1305-SHA256", 0x1303, any, chacha20_poly1305},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b, ecdsa, aes128_gcm},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
     "ECDHE-RSA-AES128-GCM-SHA256", 0xc02f, rsa, aes128_gcm},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
     "ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c, ecdsa, aes256_gcm},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384", 0xc030, rsa, aes256_gcm},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
     "ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9, ecdsa, chacha20_poly1305},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
     "ECDHE-RSA-CHACHA20-POLY1305", 0xcca8, rsa, chacha20_poly1305},
}};

// The release, not WOLFSSL_HAVE_MLKEM: our settings define that for any.
constexpr bool mlkem_linked = LIBWOLFSSL_VERSION_HEX >= 0x05008000;

constexpr std::array<group, 5> all_groups = {{
    {"X25519MLKEM768", 0x11ec, mlkem_linked, false, true},
    {"X25519", 0x001d, true, true, true},
    {"P-256", 0x0017, true, true, true},
    {"P-384", 0x0018, true, true, true},
    {"P-521", 0x0019, true, true, false},
}};

template <class Range, class Predicate>
auto find(const Range& range, Predicate&& matches) noexcept -> decltype(range.data()) {
  const auto found = std::find_if(range.begin(), range.end(), matches);
  return found == range.end() ? nullptr : &*found;
}

}  // namespace

std::span<const suite> suites() noexcept { return all_suites; }

std::vector<const suite*> usual_suites() {
  std::vector<const suite*> out;
  const bool aes_first = features().aes_cpu;
  for (const bool aes : {aes_first, !aes_first}) {
    for (const suite& each : suites()) {
      if ((each.cipher != aead::chacha20_poly1305) == aes) out.push_back(&each);
    }
  }
  return out;
}

const suite* find_suite(std::string_view name) noexcept {
  return find(all_suites, [&](const suite& s) { return s.name == name || s.openssl == name; });
}

const suite* find_suite(std::uint16_t id) noexcept {
  return find(all_suites, [&](const suite& s) { return s.id == id; });
}

std::span<const group> groups() noexcept { return all_groups; }

const group* find_group(std::string_view name) noexcept {
  return find(all_groups, [&](const group& g) { return g.name == name; });
}

bool is_cipher(std::string_view name) noexcept { return find_suite(name) != nullptr; }
bool is_group(std::string_view name) noexcept { return find_group(name) != nullptr; }

}  // namespace rw::tls
