// Lines about TLS handshakes that fail with servers. Workers count them; the lines are written
// here.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "gateway/snapshot.h"
#include "observe/log.h"

namespace rw::control {

// Of the control thread. A server has one line in `line_every` at most, with how many failed since
// the one before and why the last did.
class handshake_log {
 public:
  static constexpr std::chrono::seconds line_every{10};

  void look(const gateway::snapshot& state, mono_time now, const observe::log& to);

 private:
  struct told {
    std::uint64_t count = 0;
    mono_time at;
  };
  std::unordered_map<const upstream::handshake_failures*, told> told_;
};

}  // namespace rw::control
