// wolfSSL as a whole: starting it, and what the linked one can do.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace rw::tls {

// Must run once, before any thread starts and before anything else here is used. A second call does
// nothing. Fails when wolfSSL's own start-up does.
result<> library_init();

// The linked library's own version, "5.9.2". Any thread.
std::string_view library_version() noexcept;
// Bytes that wolfSSL holds of what this thread has allocated for it, less what the thread has
// freed: of a worker, its connections.
std::int64_t heap_bytes() noexcept;

// What differs between the wolfSSL releases this builds with, and between CPUs. Any thread.
struct library_features {
  bool mlkem = false;    // X25519MLKEM768 (from 5.8.0 on)
  bool aes_cpu = false;  // the CPU has AES and carry-less multiplication instructions
};
library_features features() noexcept;

}  // namespace rw::tls
