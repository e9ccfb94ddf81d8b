// Clients: they ask in pieces, in pipelines, slowly, wrongly, and leave when they like.
#pragma once

#include <memory>
#include <string>

#include "ask.h"
#include "ledger.h"
#include "world.h"

namespace rw::sim {

// Where a client comes in.
struct client_door {
  int listener = -1;
  bool tls = false;
};

class client {
 public:
  client(world& w, ledger& book, client_door door, unsigned number, client_habits habits);
  // Goes: with a reset that the gateway sees at once, or by closing.
  void cut();
  void leave();
  // Its last answer is there, or its connection is over.
  bool done() const noexcept;
  // It may have sent so much ahead that the gateway does not listen to it.
  bool pipelines() const noexcept;
  // What it waits for, "" when nothing: for reports.
  std::string waiting_for() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace rw::sim
