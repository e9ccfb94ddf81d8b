// The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): what a proxy says, before
// anything else on a connection, of whom it connects for. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/config.h"
#include "net/address.h"

namespace rw::net {

// Ours to bound: version 2 could say 64 KiB. What load balancers send has some hundred octets.
inline constexpr std::size_t proxy_header_bytes_max = 4096;

struct proxy_header {
  // False: the proxy speaks for itself (LOCAL: a health check), or for somebody without an IP
  // address (UNKNOWN, AF_UNSPEC, AF_UNIX). The connection's own addresses count then.
  bool has_addresses = false;
  endpoint from;
  endpoint to;
  std::size_t size = 0;  // octets it takes
};

enum class proxy_state : std::uint8_t { partial, complete, refused };

// `bytes`: all that has come so far. Refused at the first octet that cannot be right, and when a
// CRC32c is given that is not the header's. `out` is set when complete.
proxy_state parse_proxy_header(std::string_view bytes, proxy_header& out) noexcept;

// At most so much is written.
inline constexpr std::size_t written_proxy_header_max = 107;
// Of a connection for `what.from`, that came to `what.to`. The octets written.
std::size_t write_proxy_header(config::proxy_protocol version, const proxy_header& what,
                               std::span<char, written_proxy_header_max> out) noexcept;

}  // namespace rw::net
