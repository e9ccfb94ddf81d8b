// The cipher suites and groups a listener may offer, and how they are written. Inside tls/ only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tls/traffic_keys.h"

namespace rw::tls {

struct suite {
  std::string_view name;     // the RFC's
  std::string_view openssl;  // OpenSSL's, what operators copy from elsewhere
  const char* library;       // wolfSSL's
  std::uint16_t id;          // on the wire
  enum class auth : std::uint8_t { any, ecdsa, rsa } needs;  // any: TLS 1.3
  aead cipher;
};

// All there are; nothing without forward secrecy, nothing without an AEAD.
std::span<const suite> suites() noexcept;
// The same in the order of preference when nobody says: ChaCha20 first where the CPU has no AES.
std::vector<const suite*> usual_suites();
const suite* find_suite(std::string_view name) noexcept;
const suite* find_suite(std::uint16_t id) noexcept;

struct group {
  std::string_view name;
  std::uint16_t id;
  bool linked;  // the linked wolfSSL has it
  bool tls12;   // usable below TLS 1.3
  bool usual;   // offered when the options name none
};

std::span<const group> groups() noexcept;
const group* find_group(std::string_view name) noexcept;

}  // namespace rw::tls
