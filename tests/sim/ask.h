// What clients ask: requests right and wrong, drawn from the world's seed.
#pragma once

#include <string>

#include "ledger.h"
#include "world.h"

namespace rw::sim {

struct client_habits {
  double faults = 1.0;  // 0: asks correctly, reads at once and waits for every answer
  std::uint64_t body_bytes_max = 180'000;
  microseconds come_within = seconds{4};
  unsigned asks_max = 5;
  bool only_proxied = false;  // to the upstream that has several servers
};

struct ask {
  request_record* record = nullptr;
  std::string head;  // without its end until show_claim()
  std::string body;  // as it goes over the wire
  bool expect = false;
  bool last = false;            // the connection ends after it
  bool may_be_refused = false;  // by the gateway, though nothing failed
};

// A request of the client with that address; `book` has it from now on.
ask make_ask(world& in, ledger& book, const std::string& address, const client_habits& habits);
// Just before it is sent: what there is to show may have been minted meanwhile.
void show_claim(world& in, const ledger& book, ask& one);

}  // namespace rw::sim
