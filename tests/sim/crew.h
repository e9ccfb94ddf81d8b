// The gateway's workers, one or two of them, and what each is given.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "configuration.h"
#include "gateway/worker.h"
#include "ledger.h"
#include "observe/counters.h"
#include "observe/log_queue.h"
#include "world.h"

namespace rw::sim {

class crew {
 public:
  crew(world& in, unsigned workers) : world_(in), count_(workers) {}

  // `most`: clients at a time.
  void open(const std::shared_ptr<const gateway::snapshot>& state, std::size_t buffers_bytes,
            std::uint32_t most);
  // Never more than `most`, at any time.
  void expect_bounded();
  // Where the next client comes in: with two workers mostly at the first one's.
  int socket_of(listener_index which);
  void adopt(const std::shared_ptr<const gateway::snapshot>& state);
  void drain(nanoseconds at_most);
  // Until all of them have come to their end.
  void run();
  void read_access_logs(ledger& into);
  std::uint64_t sum(observe::counter what) const;
  // At the end: what was taken is given back. Ends the workers.
  void expect_nothing_left(const configurations& used);

 private:
  struct desk {
    std::optional<io::loop> loop;
    observe::counters counters;
    observe::log_queue access{1U << 20U};
    std::vector<int> listening;
    std::optional<gateway::worker> worker;
  };
  void expect_zero(std::uint64_t left, const char* of);
  void expect_none_taken(const configurations& used);

  world& world_;
  unsigned count_;
  std::unique_ptr<io::ring> control_;  // for posting alone
  std::list<desk> desks_;
  std::shared_ptr<gateway::connection_bound> clients_ =
      std::make_shared<gateway::connection_bound>();
  std::shared_ptr<gateway::worker_loads> loads_;  // null: one worker
};

}  // namespace rw::sim
