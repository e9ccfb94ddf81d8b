#include "tls/library.h"

#include <malloc.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "tls/suites.h"

namespace rw::tls {
namespace {

// Part of the allocator, like the lists of coroutine frames.
thread_local std::int64_t held_bytes = 0;

// NOLINTBEGIN(cppcoreguidelines-no-malloc): wolfSSL asks for malloc's three functions by contract.
void* counted_malloc(std::size_t bytes) {
  void* const made = std::malloc(bytes);
  held_bytes += static_cast<std::int64_t>(malloc_usable_size(made));
  return made;
}

void counted_free(void* what) {
  held_bytes -= static_cast<std::int64_t>(malloc_usable_size(what));
  std::free(what);
}

void* counted_realloc(void* what, std::size_t bytes) {
  const std::size_t before = malloc_usable_size(what);
  void* const made = std::realloc(what, bytes);
  if (made != nullptr) {
    held_bytes +=
        static_cast<std::int64_t>(malloc_usable_size(made)) - static_cast<std::int64_t>(before);
  }
  return made;
}
// NOLINTEND(cppcoreguidelines-no-malloc)

// wolfSSL looks at the CPU when it first hashes, encrypts or makes a key, and keeps what it chose
// in plain variables, some of them pairs of function pointers. Two workers that come first at once
// race for them, so all of it is used once before there is a second thread.
bool choose_implementations() noexcept {
  std::array<byte, 64> digest{};
  std::array<byte, 32> key{};
  std::array<byte, 16> block{};
  std::array<byte, 16> tag{};
  if (wc_Sha256Hash(block.data(), block.size(), digest.data()) != 0 ||
      wc_Sha384Hash(block.data(), block.size(), digest.data()) != 0 ||
      wc_Sha512Hash(block.data(), block.size(), digest.data()) != 0) {
    return false;
  }
  Aes aes;
  if (wc_AesInit(&aes, nullptr, INVALID_DEVID) != 0) return false;
  const bool gcm = wc_AesGcmSetKey(&aes, key.data(), 16) == 0 &&
                   wc_AesGcmEncrypt(&aes, block.data(), block.data(), block.size(), key.data(), 12,
                                    tag.data(), tag.size(), nullptr, 0) == 0;
  wc_AesFree(&aes);
  if (!gcm || wc_ChaCha20Poly1305_Encrypt(key.data(), key.data(), nullptr, 0, block.data(),
                                          block.size(), block.data(), tag.data()) != 0) {
    return false;
  }
  const std::unique_ptr<WOLFSSL_CTX, void (*)(WOLFSSL_CTX*)> context(
      wolfSSL_CTX_new(wolfTLSv1_3_client_method()), &wolfSSL_CTX_free);
  if (!context) return false;
  const std::unique_ptr<WOLFSSL, void (*)(WOLFSSL*)> one(wolfSSL_new(context.get()), &wolfSSL_free);
  if (!one) return false;
  for (const group& each : groups()) {
    if (each.linked && wolfSSL_UseKeyShare(one.get(), each.id) != WOLFSSL_SUCCESS) return false;
  }
  return true;
}

}  // namespace

result<> library_init() {
  // Counts its calls itself and starts once; C++ makes the first call of several threads wait.
  static const bool started =
      wolfSSL_SetAllocators(&counted_malloc, &counted_free, &counted_realloc) == 0 &&
      wolfSSL_Init() == WOLFSSL_SUCCESS && choose_implementations();
  if (!started) {
    return failure({.code = fault::tls, .text = "wolfSSL does not start"});
  }
  return {};
}

std::int64_t heap_bytes() noexcept { return held_bytes; }

std::string_view library_version() noexcept { return wolfSSL_lib_version(); }

library_features features() noexcept {
  library_features out;
  out.mlkem = find_group("X25519MLKEM768")->linked;
  out.aes_cpu = __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
  return out;
}

}  // namespace rw::tls
