// Addresses of peers, as keys for limits and as text for logs.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "config/address.h"
#include "config/cidr.h"

namespace rw::net {

// Who is at the other end. A unix socket's peer has no address: ip is all zero.
struct endpoint {
  config::ip16 ip{};  // IPv4 in its mapped form
  std::uint16_t port = 0;
  bool is_unix = false;
  bool operator==(const endpoint&) const = default;
};

endpoint to_endpoint(const sockaddr_storage& address) noexcept;
// Ready for connect() or bind(): AF_INET for IPv4, mapped or not.
config::address to_socket_address(const config::ip16& ip, std::uint16_t port) noexcept;

// "192.0.2.1", "2001:db8::1" or "unix"; IPv4-mapped addresses as IPv4.
class endpoint_text {
 public:
  explicit endpoint_text(const config::ip16& ip, bool is_unix = false) noexcept;
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 46> text_{};
  std::size_t size_ = 0;
};

// "192.0.2.1" or "2001:db8::1", with or without a port and brackets; false for anything else.
bool parse_ip(std::string_view text, config::ip16& out) noexcept;

}  // namespace rw::net
