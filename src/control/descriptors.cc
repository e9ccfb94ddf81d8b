#include "control/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

#include "io/pipe_pool.h"

namespace rw::control {

std::uint64_t raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
  rlimit all{files.rlim_max, files.rlim_max};
  return (::setrlimit(RLIMIT_NOFILE, &all) == 0 ? all : files).rlim_cur;
}

std::uint32_t clients_max(std::uint64_t descriptors, std::size_t workers,
                          std::span<const gateway::upstream_plan> origins) {
  // Rings, listening sockets, pipes, files, the admin's connections.
  const std::uint64_t own =
      std::min<std::uint64_t>(512 + workers * io::pipe_pool::lent_max * 2, descriptors / 4);
  const std::uint64_t rest = descriptors - own;
  std::uint64_t upstream = 0;  // requests under way, and connections that are kept
  for (const gateway::upstream_plan& one : origins) {
    const std::size_t servers = one.servers.size() + one.without_address.size();
    upstream +=
        one.settings->max_requests_in_flight + workers * one.settings->idle_per_worker * servers;
  }
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(rest - std::min(upstream, rest / 2), UINT32_MAX));
}

}  // namespace rw::control
