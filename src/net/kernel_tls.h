// TLS as the kernel wants it said: keys for a socket, and records that are no application data.
// Documentation/networking/tls.rst in the kernel's sources is the reference.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tls/traffic_keys.h"

namespace rw::net {

// The keys, for setsockopt(TLS_TX). Wiped when it goes.
class crypto_info {
 public:
  explicit crypto_info(const tls::traffic_keys& keys) noexcept;
  ~crypto_info();
  crypto_info(const crypto_info&) = delete;
  crypto_info& operator=(const crypto_info&) = delete;

  std::span<const std::byte> bytes() const noexcept { return std::span(bytes_).first(size_); }

 private:
  template <class Kernel>
  void fill(const tls::traffic_keys& keys, std::uint16_t type) noexcept;

  alignas(8) std::array<std::byte, 56> bytes_{};
  std::size_t size_ = 0;
};

// One short record for sendmsg(2); stays where it is made until it is sent.
class control_record {
 public:
  enum class type : std::uint8_t { alert = 21, handshake = 22 };

  control_record(type what, std::span<const std::byte> body) noexcept;
  control_record(const control_record&) = delete;
  control_record& operator=(const control_record&) = delete;

  type what() const noexcept { return what_; }
  const msghdr* message() const noexcept { return &message_; }

 private:
  type what_;
  std::array<std::byte, 8> body_{};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(1)> control_{};
  iovec vector_{};
  msghdr message_{};
};

}  // namespace rw::net
