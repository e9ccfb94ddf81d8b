#include "auth/algorithm.h"

#include "base/assert.h"

namespace rw::auth {

namespace {

struct row {
  std::string_view name;
  key_type key;
  digest_kind digest;
};

// In the order of config::jws_algorithm.
constexpr row rows[algorithm_count] = {
    {"RS256", key_type::rsa, digest_kind::sha256},
    {"RS384", key_type::rsa, digest_kind::sha384},
    {"RS512", key_type::rsa, digest_kind::sha512},
    {"PS256", key_type::rsa, digest_kind::sha256},
    {"PS384", key_type::rsa, digest_kind::sha384},
    {"PS512", key_type::rsa, digest_kind::sha512},
    {"ES256", key_type::p256, digest_kind::sha256},
    {"ES384", key_type::p384, digest_kind::sha384},
    {"ES512", key_type::p521, digest_kind::sha512},
    {"EdDSA", key_type::ed25519, digest_kind::sha512},
};

const row& row_of(algorithm one) noexcept { return rows[static_cast<std::size_t>(one)]; }

}  // namespace

std::optional<algorithm> find_algorithm(std::string_view name) noexcept {
  for (std::size_t i = 0; i < algorithm_count; ++i) {
    if (rows[i].name == name) return static_cast<algorithm>(i);
  }
  return {};
}

std::string_view name(algorithm one) noexcept { return row_of(one).name; }

bool fits(key_type key, algorithm one) noexcept { return row_of(one).key == key; }

algorithm default_algorithm(key_type key) noexcept {
  for (std::size_t i = 0; i < algorithm_count; ++i) {
    if (rows[i].key == key) return static_cast<algorithm>(i);
  }
  RW_ASSERT(false);
}

bool is_pss(algorithm one) noexcept {
  return one == algorithm::ps256 || one == algorithm::ps384 || one == algorithm::ps512;
}

digest_kind digest_of(algorithm one) noexcept {
  RW_ASSERT(one != algorithm::eddsa);
  return row_of(one).digest;
}

std::string_view curve_name(key_type key) noexcept {
  switch (key) {
    case key_type::rsa:
      return {};
    case key_type::p256:
      return "P-256";
    case key_type::p384:
      return "P-384";
    case key_type::p521:
      return "P-521";
    case key_type::ed25519:
      return "Ed25519";
  }
  return {};
}

std::size_t field_bytes(key_type key) noexcept {
  switch (key) {
    case key_type::rsa:
      return 0;
    case key_type::p256:
      return 32;
    case key_type::p384:
      return 48;
    case key_type::p521:
      return 66;
    case key_type::ed25519:
      return 32;
  }
  return 0;
}

}  // namespace rw::auth
