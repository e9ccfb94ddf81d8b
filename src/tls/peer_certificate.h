// What is kept of a client's certificate once the client has proven that it is its own.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "base/clock.h"

namespace rw::tls {

struct peer_certificate {
  std::string name;  // holder_name(); empty where the certificate has none that can be used
  std::array<std::byte, 32> thumbprint{};  // SHA-256 of its DER (RFC 8705 3.1)
  wall_time not_after = wall_time::max();  // the earliest end of all that was shown
};

}  // namespace rw::tls
