// `ringward demo`: a gate, an origin and credentials, made up on the spot and kept in memory.
#pragma once

#include <string>

namespace rw::control {

struct demo_options {
  std::string address = "127.0.0.1:8443";
};

// Serves until SIGTERM or Ctrl-C; the exit status.
int run_demo(const demo_options& options);

}  // namespace rw::control
