// Where to listen or connect, as operators write it: "IP:port", "[IP6]:port", "host:port" or
// "unix:/path". Names are told apart here and resolved elsewhere.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace rw::config {

struct address {
  enum class kind : std::uint8_t { ip, unix_path, host_name };
  kind what = kind::ip;
  sockaddr_storage socket{};  // ip and unix_path: ready for bind() or connect()
  socklen_t length = 0;       // of `socket`, in octets
  std::string host;           // host_name: lower case, without a final dot
  std::uint16_t port = 0;     // host order; ip and host_name; 0 is allowed, callers judge it

  const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&socket); }
};

// Errors: fault::invalid, with a literal text that says what is wrong. Zone indices
// ("fe80::1%eth0") and abstract unix sockets are not supported.
result<address> parse_address(std::string_view text);

// 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104 or a unix socket; false for a host name.
bool is_loopback(const address& where) noexcept;

}  // namespace rw::config
