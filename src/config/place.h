// Where something was written.
#pragma once

#include <cstdint>

namespace rw::config {

struct place {
  std::uint32_t file = 0;    // index into configuration::files
  std::uint32_t line = 0;    // from 1; 0: the whole file
  std::uint32_t column = 0;  // from 1, in octets
};

}  // namespace rw::config
