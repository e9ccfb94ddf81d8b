// Who we are.
#pragma once

namespace rw::control {

inline constexpr const char* version = "0.1.0";

}  // namespace rw::control
