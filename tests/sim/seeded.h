#pragma once

#include <cstdint>
#include <random>

namespace rw::sim {

// What base/random.h gives from now on.
void seed_random(std::uint64_t seed);

}  // namespace rw::sim
