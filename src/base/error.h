// Errors are values: what went wrong, whose side it came from, and whether trying again is safe.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace rw {

// The side an error came from; decides between a 4xx, a 502/504 and a 500.
enum class origin : std::uint8_t { downstream, upstream, local, configuration };

enum class fault : std::uint8_t {
  closed,       // the peer ended the stream in order
  reset,        // the peer ended it out of order
  timed_out,    // a deadline of ours passed
  refused,      // nobody listens there
  unreachable,  // no route, name or address
  exhausted,    // a bounded resource of ours is used up
  canceled,     // we gave up on it ourselves
  malformed,    // the bytes break the protocol
  too_large,    // a limit of the configuration was passed
  unsupported,  // valid, but nothing we do
  tls,          // the TLS layer refused
  denied,       // permissions
  not_found,    // a file, name or entry is not there
  invalid,      // a value somebody configured is wrong
  system        // any other errno
};

// Never allocates. `text` is a literal.
struct error {
  fault code = fault::system;
  origin from = origin::local;
  bool may_retry = false;
  int os = 0;  // errno, 0 where the kernel had no part in it
  const char* text = "";
};

template <class T = void>
using result = std::expected<T, error>;

using failure = std::unexpected<error>;

// The field's word for a fault, as logs and metrics print it.
std::string_view name(fault code) noexcept;
std::string_view name(origin from) noexcept;

}  // namespace rw
