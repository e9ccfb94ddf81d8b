// Bodies of known length that go from socket to socket without being copied.
#pragma once

#include <cstdint>

#include "gateway/body.h"
#include "io/task.h"
#include "net/stream.h"

namespace rw::gateway {

// One direction of an exchange.
struct passage {
  net::stream& from;
  net::stream& to;
  nanoseconds receive_gap;
  nanoseconds send_gap;
  rate_floor& floor;  // for whichever of the two is the client
};

// Where what is left of a body is long enough to be worth it, comes from a plain stream, goes to
// one whose records, if any, are the kernel's, and there is a pipe: moves `left` bytes on, counted
// in `moved` as they go. Otherwise moves none: the caller copies. Errors carry the side they came
// from; too slow a sender is fault::timed_out of `from`.
io::task<result<>> splice_body(passage through, std::uint64_t left, std::uint64_t& moved);

}  // namespace rw::gateway
