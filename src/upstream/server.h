// Servers of an upstream with addresses that can be connected to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "config/config.h"

namespace rw::upstream {

struct server {
  std::string name;  // as configured: "127.0.0.1:5001", "unix:/run/app.sock"
  std::string host;  // what goes into Host when `host = "upstream"`
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::uint32_t weight = 1;
};

// Looks names up with the system's resolver: blocks, never on a worker. The first address counts.
// Errors: fault::invalid for what is no address, fault::unreachable for a name nobody knows.
result<server> resolve(const config::upstream_server& from);

}  // namespace rw::upstream
