// Bodies of known length, and what comes through tunnels in long pieces, go from socket to socket
// without being copied.
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
};

// Where what is left of a body is long enough to be worth it, comes from a plain stream, goes to
// one whose records, if any, are the kernel's, and there is a pipe: moves `left` bytes on, counted
// in `moved` as they go. Otherwise moves none: the caller copies. Errors carry the side they came
// from; too slow a sender is fault::timed_out of `from`. `floor`: for whichever is the client.
io::task<result<>> splice_body(passage through, rate_floor& floor, std::uint64_t left,
                               std::uint64_t& moved);

// For what comes by a tunnel, where it may go on as above: moves on what is there and what comes
// while each wait for it, until `gap` after `moved_at`, brings a long piece. `moved_at`: when
// anything moved, either way of the tunnel. Errors carry the side they came from; those of `from`
// are as of receive().
io::task<result<>> splice_while_long(passage through, mono_time& moved_at, std::uint64_t& moved);

}  // namespace rw::gateway
