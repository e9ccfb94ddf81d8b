// One whole run of the workers: their world, their peers, and what must be true at the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rw::sim {

// What happens at once when a certain completion of the kernel is about to be handled.
enum class cut : std::uint8_t {
  nothing,
  clients_reset,
  clients_leave,
  origins_reset,
  origins_close,
  drain,  // with no time left for anybody
  reload,
  end
};

struct circumstances {
  std::uint64_t seed = 1;
  bool tracing = false;
  // A short run of a few clients, and nothing fails but what is cut.
  bool brief = false;
  cut what = cut::nothing;
  std::uint64_t at = 0;  // the completion, from 1
};

struct outcome {
  std::vector<std::string> violations;
  std::uint64_t completions = 0;
  std::uint64_t events = 0;
  std::uint64_t answered = 0;  // by origins, in full
  std::uint64_t refused = 0;   // by the gateway
  std::uint64_t retries = 0;
  std::uint64_t handshakes = 0;
  std::uint64_t upstream_handshakes = 0;  // full ones
  std::uint64_t upstream_resumed = 0;
  std::uint64_t upstream_refused = 0;
  std::uint64_t unauthorised = 0;
  std::uint64_t limited = 0;
  std::uint64_t given_back = 0;  // to an early limit by a later one
  std::uint64_t minted = 0;
  std::uint64_t turned_away = 0;  // connections, for one was too many or the gateway draining
  std::uint64_t handed_over = 0;  // from one worker to the other
  std::uint64_t ejections = 0;    // of servers
  std::uint64_t trials = 0;       // requests that tried whether an ejected one is well again
  double seconds = 0;             // of virtual time
};

// Ends the process when the run cannot go on: an assertion of the gateway's, or time standing
// still.
outcome simulate(const circumstances& with);

}  // namespace rw::sim
