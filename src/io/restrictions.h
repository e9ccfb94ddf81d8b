// What a ring may be asked for: what ring.cc does, and nothing else.
#pragma once

#include <cstdint>

#include "io/ring.h"

namespace rw::io {

// Of a ring that is still disabled, for good. A kernel that cannot leaves it as it was.
void restrict_ring(int descriptor) noexcept;

// Whether an enabled ring is held to that: asks it for something harmless that is not among it. Of
// the ring's own thread.
bool is_restricted(const ring& one) noexcept;

// Makes a ring that is restricted as all are, and asks it for an operation that would do nothing:
// its result, -EACCES where the ring refused it. Any thread.
std::int32_t attempt_operation(std::uint8_t operation) noexcept;

}  // namespace rw::io
