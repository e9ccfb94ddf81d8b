// What the simulated ring is made in: ring::create() has no argument for it.
#pragma once

#include "world.h"

namespace rw::sim {

// The world that rings created from now on belong to.
void use(world* one) noexcept;
world* used() noexcept;

}  // namespace rw::sim
