#include "auth/slow_hash.h"

#include <crypt.h>
#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/secret.h"

namespace rw::auth {
namespace {

constexpr std::string_view argon2_prefix = "$argon2id$v=19$";
constexpr std::size_t bcrypt_bytes = 60;  // "$2b$12$", 22 of salt, 31 of hash

bool is_bcrypt(std::string_view hash) noexcept {
  return hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$");
}

bool is_of_bcrypt(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '/';
}

const char* refuse_bcrypt(std::string_view hash) noexcept {
  constexpr const char* shape =
      "a bcrypt hash is $2b$, two digits of cost, '$' and 53 characters of ./A-Za-z0-9";
  if (hash.size() != bcrypt_bytes || hash[6] != '$') return shape;
  if (!std::ranges::all_of(hash.substr(7), is_of_bcrypt)) return shape;
  unsigned cost = 0;
  const auto read = std::from_chars(hash.data() + 4, hash.data() + 6, cost);
  if (read.ec != std::errc{} || read.ptr != hash.data() + 6 || cost < 4) return shape;
  if (cost > bcrypt_cost_max) return "a bcrypt hash may cost 15 at most: more takes seconds";
  return nullptr;
}

// The number after `name` in "m=65536,t=2,p=1"; 0 when there is none.
std::uint64_t parameter(std::string_view hash, std::string_view name) noexcept {
  const std::size_t at = hash.find(name);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) {
    std::from_chars(hash.data() + at + name.size(), hash.data() + hash.size(), number);
  }
  return number;
}

const char* refuse_argon2(std::string_view hash) noexcept {
  constexpr const char* shape =
      "an argon2id hash is $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH, 127 characters at most";
  if (!hash.starts_with(argon2_prefix) || hash.size() >= crypto_pwhash_STRBYTES) return shape;
  const std::uint64_t kib = parameter(hash, "$m=");
  const std::uint64_t passes = parameter(hash, ",t=");
  if (kib == 0 || passes == 0) return shape;
  if (kib > argon2_kib_max || passes > argon2_passes_max) {
    return "an argon2id hash may ask for 256 MiB and 16 passes at most";
  }
  std::array<char, crypto_pwhash_STRBYTES> text{};
  std::memcpy(text.data(), hash.data(), hash.size());
  const int read =
      crypto_pwhash_str_needs_rehash(text.data(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                     static_cast<std::size_t>(crypto_pwhash_MEMLIMIT_INTERACTIVE));
  return read < 0 ? shape : nullptr;
}

}  // namespace

bool looks_slow(std::string_view hash) noexcept {
  return is_bcrypt(hash) || hash.starts_with("$argon2");
}

const char* refuse_slow_hash(std::string_view hash) noexcept {
  return is_bcrypt(hash) ? refuse_bcrypt(hash) : refuse_argon2(hash);
}

bool matches_slow_hash(const std::string& hash, std::string_view key) {
  if (!is_bcrypt(hash)) {
    std::array<char, crypto_pwhash_STRBYTES> text{};
    std::memcpy(text.data(), hash.data(), std::min(hash.size(), text.size() - 1));
    return crypto_pwhash_str_verify(text.data(), key.data(), key.size()) == 0;
  }
  if (key.size() > bcrypt_key_bytes_max) return false;
  const auto space = std::make_unique<crypt_data>();  // 32 KiB
  std::array<char, bcrypt_key_bytes_max + 1> phrase{};
  std::memcpy(phrase.data(), key.data(), key.size());
  const char* made = crypt_r(phrase.data(), hash.c_str(), space.get());
  const bool same = made != nullptr && equal_in_constant_time(made, hash);
  wipe(phrase.data(), phrase.size());
  wipe(space.get(), sizeof *space);
  return same;
}

digest_secret make_digest_secret() noexcept {
  digest_secret made;
  randombytes_buf(made.data(), made.size());
  return made;
}

key_digest digest_of(std::string_view key, const digest_secret& secret) noexcept {
  key_digest made;
  crypto_generichash(made.data(), made.size(), reinterpret_cast<const unsigned char*>(key.data()),
                     key.size(), secret.data(), secret.size());
  return made;
}

}  // namespace rw::auth
