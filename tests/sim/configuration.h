// The gateway's configuration in the simulation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/snapshot.h"
#include "observe/names.h"
#include "tls/tickets.h"

namespace rw::sim {

// Listeners by their place in the configuration, and the ports of the origins it names.
enum listener_index : std::size_t { plain = 0, secure = 1 };
inline constexpr std::uint16_t origin_ports[] = {9001, 9002, 9003, 9004};

// Makes the certificate, once for the process. Draws from the seed: not while a run is under way.
void prepare_configurations();

// Makes snapshots as the control thread does. Those made stay alive for finish() to look at.
class configurations {
 public:
  // `tls`: origins are spoken to by it.
  configurations(unsigned workers, bool tls) : workers_(workers), tls_(tls) {}
  // The next one: the first, the other, the first again and so on, so that upstreams, servers and
  // timeouts come and go. Null and a failed test when it is refused.
  std::shared_ptr<const gateway::snapshot> next();
  const std::vector<std::shared_ptr<const gateway::snapshot>>& made() const noexcept {
    return made_;
  }

 private:
  unsigned workers_;
  bool tls_;
  observe::label_names labels_;
  std::shared_ptr<const tls::ticket_keys> tickets_ =
      std::make_shared<const tls::ticket_keys>(mono_time{});
  std::vector<std::shared_ptr<const gateway::snapshot>> made_;
};

}  // namespace rw::sim
