// Where the configuration says that a secret is.
#pragma once

#include <cstdint>
#include <string>

#include "config/place.h"

namespace rw::config {

// Where a secret is kept; the value itself is never here.
struct secret_source {
  enum class kind : std::uint8_t { none, file, credential, environment };
  kind from = kind::none;
  std::string name;    // a path, a credential's name or a variable's
  std::string prefix;  // put before the value, for header values such as "Bearer "
  place at;            // of `name`
};

}  // namespace rw::config
