// `ringward run`: this process becomes a gate.
#pragma once

#include <string>

namespace rw::control {

// By the configuration at `path`, a file or a directory. Blocks until the gate has ended. The exit
// status.
int serve(const std::string& path);

// In the place of the gate at the admin socket `socket`, by its configuration, as its user, and
// with its standard output and error. Until it serves it says on standard error what is wrong;
// then standard output gets its number, as a pid_t, and ends, and what it has said goes to the log.
// That is for `ringward upgrade`, which has made both.
int serve_after(const std::string& socket);

}  // namespace rw::control
