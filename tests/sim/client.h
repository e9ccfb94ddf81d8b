// Clients: they ask in pieces, in pipelines, slowly, wrongly, and leave when they like.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "ledger.h"
#include "message.h"
#include "world.h"

namespace rw::sim {

struct client_habits {
  double faults = 1.0;  // 0: asks correctly, reads at once and waits for every answer
  std::uint64_t body_bytes_max = 120'000;
};

class client {
 public:
  client(world& w, ledger& book, int listener, unsigned number, client_habits habits);
  // Its last answer is there, or its connection is over.
  bool done() const noexcept;
  // What it waits for, "" when nothing: for reports.
  std::string waiting_for() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace rw::sim
