// The versions of TLS, by their numbers on the wire.
#pragma once

#include <cstdint>

namespace rw::tls {

enum class protocol_version : std::uint16_t { none = 0, tls12 = 0x0303, tls13 = 0x0304 };

}  // namespace rw::tls
