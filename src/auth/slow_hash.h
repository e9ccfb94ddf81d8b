// Hashes made to be slow, of key files older than rwk1: bcrypt through libxcrypt, argon2id through
// libsodium. One comparison takes from milliseconds to a second: never on a worker.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rw::auth {

inline constexpr std::size_t bcrypt_key_bytes_max = 72;  // bcrypt sees no octet after these
inline constexpr unsigned bcrypt_cost_max = 15;          // 2^15 rounds: about 2 s
inline constexpr std::uint64_t argon2_kib_max = 256U << 10U;
inline constexpr std::uint64_t argon2_passes_max = 16;

// Begins like one, whether or not it is one.
bool looks_slow(std::string_view hash) noexcept;

// What is wrong with `$2b$...`, `$2a$...`, `$2y$...` or `$argon2id$...`: a literal; null when it
// can be compared with.
const char* refuse_slow_hash(std::string_view hash) noexcept;

// Whether `hash`, which was not refused, is that of `key`. Never true for bcrypt and a key of more
// than bcrypt_key_bytes_max octets: its end would open as well as any other. Blocks; any thread.
bool matches_slow_hash(const std::string& hash, std::string_view key);

// A presented key as caches have it: BLAKE2b-256 under a secret that is random per process.
using digest_secret = std::array<unsigned char, 32>;
using key_digest = std::array<unsigned char, 32>;
digest_secret make_digest_secret() noexcept;
key_digest digest_of(std::string_view key, const digest_secret& secret) noexcept;

}  // namespace rw::auth
