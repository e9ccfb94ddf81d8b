// What workers tell of their clients' connections, for `ringward connections`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/address.h"

namespace rw::gateway {

class worker;

// One connection at one moment. Owns its text: what it was taken from goes on.
struct client_row {
  unsigned worker = 0;
  std::uint32_t listener = 0;  // by its place in snapshot::listeners
  net::endpoint peer;          // or whom it has said to connect for
  std::string_view protocol;   // "h1" or "h2"; empty before that is known
  std::string_view tls;        // "TLSv1.3"; empty in the clear, and before its handshake is over
  mono_time opened;
  std::uint64_t requests = 0;
  std::uint64_t received = 0;  // bytes that the socket has brought and taken, TLS's own with them
  std::uint64_t sent = 0;
  std::size_t under_way = 0;  // requests: more than one only by HTTP/2
  std::string_view state;     // of the newest of these, or of the connection: a literal
  std::string upstream;       // the server that it is forwarded to
  std::string identity;       // of its caller; nothing is known of one that is idle
};

// Of one worker, at most. Each is a walk to another connection's frame, a few lines of cache that
// are not at hand, and two strings: nobody on that worker waits longer than for 1,000 such.
inline constexpr std::size_t client_rows_max = 1000;

// Of one worker, on its thread: the newest connections, or the oldest, in that order.
std::vector<client_row> client_rows(const worker& of, std::size_t most, bool oldest);

}  // namespace rw::gateway
