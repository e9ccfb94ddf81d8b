// The most memory that the process can hold, whatever clients do: computed from its configuration.
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"

namespace rw::control {

// Octets of user space. The kernel's side of a connection (sockets, rings, pipes) is not in it, nor
// is what a reload needs while both configurations are in use.
struct memory_bound {
  std::uint64_t at_start = 0;     // resident once all was ready: code, files, snapshots
  std::uint64_t workers = 0;      // pools, queues, caches and long bodies of all of them
  std::uint64_t tables = 0;       // of limits, of clients' bounds, of used tokens
  std::uint64_t clients = 0;      // at once, those who are making room included
  std::uint64_t each_client = 0;  // with a request of its own, and what it sent behind it
  std::uint64_t streams = 0;      // of HTTP/2, at once
  std::uint64_t each_stream = 0;
  std::uint64_t requests = 0;      // at origins, at once
  std::uint64_t each_request = 0;  // the origin's side of one
  std::uint64_t kept = 0;          // connections to origins that wait for their next request
  std::uint64_t each_kept = 0;

  std::uint64_t total() const noexcept {
    return at_start + workers + tables + clients * each_client + streams * each_stream +
           requests * each_request + kept * each_kept;
  }
};

// `clients`: what descriptors are enough for.
memory_bound bound_memory(const config::configuration& of, unsigned workers, std::uint32_t clients,
                          std::uint64_t resident);

// Of this process, now; 0 when /proc does not say.
std::uint64_t resident_bytes();

// "at most 1204 MiB whatever clients do: 31 now, ..."
std::string describe(const memory_bound& of);

}  // namespace rw::control
