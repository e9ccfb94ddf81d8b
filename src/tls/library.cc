#include "tls/library.h"

#include <wolfssl/ssl.h>

#include "tls/suites.h"

namespace rw::tls {

result<> library_init() {
  // Counts its calls itself and starts once; C++ makes the first call of several threads wait.
  static const int started = wolfSSL_Init();
  if (started != WOLFSSL_SUCCESS) {
    return failure({.code = fault::tls, .text = "wolfSSL does not start"});
  }
  return {};
}

std::string_view library_version() noexcept { return wolfSSL_lib_version(); }

library_features features() noexcept {
  library_features out;
  out.mlkem = find_group("X25519MLKEM768")->linked;
  out.aes_cpu = __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
  return out;
}

}  // namespace rw::tls
