// When a peer that has vanished without a word (a machine that lost its power, a path that lost its
// way) is noticed by the kernel: docs/life-of-a-request.md has the numbers.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "io/ring.h"

namespace rw::net {

// Of clients: asked after `write_gap` of silence. What is not acknowledged for half as long again
// is the end: write_gap, which the log has a word for, comes first where somebody waits for it. A
// stream whose events fit into the socket's buffer has nobody who does.
inline io::liveness client_liveness(nanoseconds write_gap) noexcept {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  constexpr seconds least{1};
  constexpr seconds most{32767};  // as the kernel has it
  const seconds idle = std::clamp(std::chrono::ceil<seconds>(write_gap), least, most);
  const auto patience = std::chrono::ceil<milliseconds>(write_gap * 3 / 2);
  return {idle, std::max(idle / 4, least), 3, std::max<milliseconds>(patience, seconds{5})};
}

// Of servers, whatever is waited for. While a long body goes up, or in a tunnel, a server may read
// nothing for timeouts.gap: there `unacknowledged` does not hold.
inline constexpr io::liveness server_liveness{std::chrono::seconds{30}, std::chrono::seconds{10}, 3,
                                              std::chrono::seconds{30}};

}  // namespace rw::net
