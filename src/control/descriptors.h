// File descriptors, and how many clients they are enough for.
#pragma once

#include <cstdint>
#include <span>

#include "gateway/snapshot.h"

namespace rw::control {

// As many as the process may have (RLIMIT_NOFILE, its hard bound); how many that are.
std::uint64_t raise_descriptor_limit();

// Client connections at once, over all workers and listeners. What `origins` may need at most, at
// the addresses that they have, is kept for them, but no more than one for each client, so that who
// is let in can be forwarded; and some for the process itself.
std::uint32_t clients_max(std::uint64_t descriptors, std::size_t workers,
                          std::span<const gateway::upstream_plan> origins);

}  // namespace rw::control
