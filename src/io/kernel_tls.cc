#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "io/capability.h"

namespace rw::io {
namespace {

struct descriptor {
  explicit descriptor(int opened) noexcept : fd(opened) {}
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  const int fd;
};

bool set_keys(int fd, unsigned char key) noexcept {
  tls12_crypto_info_aes_gcm_128 to{};
  to.info.version = TLS_1_3_VERSION;
  to.info.cipher_type = TLS_CIPHER_AES_GCM_128;
  to.key[0] = key;
  return ::setsockopt(fd, SOL_TLS, TLS_TX, &to, sizeof to) == 0;
}

// Only a connected socket takes it, hence the connection. To connect on the loopback device to what
// listens waits for nobody.
kernel_tls ask_kernel() noexcept {
  const descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const descriptor one(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  socklen_t size = sizeof at;
  if (listener.fd < 0 || one.fd < 0 || ::bind(listener.fd, address, size) != 0 ||
      ::listen(listener.fd, 1) != 0 || ::getsockname(listener.fd, address, &size) != 0 ||
      ::connect(one.fd, address, size) != 0 ||
      ::setsockopt(one.fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") != 0 ||
      !set_keys(one.fd, 1)) {
    return kernel_tls::no;
  }
  return set_keys(one.fd, 2) ? kernel_tls::renewable_keys : kernel_tls::fixed_keys;
}

}  // namespace

kernel_tls probe_kernel_tls() noexcept {
  static const kernel_tls found = ask_kernel();
  return found;
}

bool ring::send_as_tls(int fd, std::span<const std::byte> crypto_info) noexcept {
  // EEXIST: it is there already, and the keys are new ones.
  if (::setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") != 0 && errno != EEXIST) {
    return false;
  }
  return ::setsockopt(fd, SOL_TLS, TLS_TX, crypto_info.data(),
                      static_cast<socklen_t>(crypto_info.size())) == 0;
}

}  // namespace rw::io
