// One client's connection, from the handshake to the last answer.
#pragma once

#include <cstdint>
#include <memory>

#include "io/task.h"
#include "limit/limiter.h"
#include "net/address.h"
#include "net/stream.h"

namespace rw::gateway {

class worker;
struct exchange;

// Lives in the frame of serve(); known to its worker so that draining can reach it.
struct connection {
  connection(worker& on, int fd, std::uint32_t listener);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  worker& on;
  net::stream downstream;
  std::uint32_t listener;  // index into snapshot::listeners
  net::endpoint peer;
  bool anonymous = false;  // reset before it could be asked whose it is: nothing is served
  bool idle = false;       // between requests: nothing is lost by closing it
  std::uint64_t requests = 0;
  exchange* current = nullptr;                       // null between requests
  std::shared_ptr<const limit::limiter> bounded_by;  // null: its client has no bounds
  limit::key place;                                  // in those, until its end
  connection* next = nullptr;
  connection* previous = nullptr;
};

// Serves `fd` until either side ends it. Owns the descriptor.
io::task<> serve(worker& on, int fd, std::uint32_t listener);

}  // namespace rw::gateway
