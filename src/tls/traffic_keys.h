// What records of one direction are encrypted with, for somebody who makes them in wolfSSL's place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace rw::tls {

enum class aead : std::uint8_t { aes128_gcm, aes256_gcm, chacha20_poly1305 };

constexpr std::size_t key_bytes(aead cipher) noexcept {
  return cipher == aead::aes128_gcm ? 16 : 32;
}

// Wiped when it goes.
struct traffic_keys {
  traffic_keys() = default;
  traffic_keys(const traffic_keys&) = delete;
  traffic_keys& operator=(const traffic_keys&) = delete;
  ~traffic_keys();

  aead cipher = aead::aes128_gcm;
  bool tls13 = false;
  std::uint64_t sequence = 0;       // of the next record
  std::array<std::byte, 32> key{};  // key_bytes() of it
  // The static part of the nonce. For AES-GCM in TLS 1.2 (RFC 5288 3) that is the first 4 bytes;
  // the other 8 are what goes with the next record, counted up with each.
  std::array<std::byte, 12> iv{};
};

// An application traffic secret of TLS 1.3 (RFC 8446 7.1). Wiped when it goes.
class traffic_secret {
 public:
  static constexpr std::size_t bytes_max = 48;

  // `secret`: 32 bytes for SHA-256, 48 for SHA-384, whatever the suite's hash is.
  explicit traffic_secret(std::span<const std::byte> secret) noexcept;
  traffic_secret(const traffic_secret&) = delete;
  traffic_secret& operator=(const traffic_secret&) = delete;
  ~traffic_secret();

  // RFC 8446 7.3. The sequence number stays 0. False when wolfCrypt has no memory.
  bool derive(aead cipher, traffic_keys& out) const noexcept;
  // Becomes the secret that follows a KeyUpdate (RFC 8446 7.2).
  bool advance() noexcept;

 private:
  std::array<std::byte, bytes_max> bytes_{};
  std::size_t size_;
};

// What wolfSSL shows of its keys only while it uses them.
struct traffic_state {
  std::optional<traffic_secret> secret;  // TLS 1.3: the server's
  std::array<std::byte, 8> nonce{};      // TLS 1.2 with AES-GCM: what went with our last record
};

}  // namespace rw::tls
