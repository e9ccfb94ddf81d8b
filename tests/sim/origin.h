// Origins: they take requests apart, hold them against the ledger, and answer well or badly.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ledger.h"
#include "origin_wire.h"
#include "reply.h"
#include "world.h"

namespace rw::sim {

// What an origin is like for a while.
enum class mood : std::uint8_t {
  well,
  refusing,   // nobody can connect
  hanging,    // it takes requests and is silent
  resetting,  // at one stage or another of nearly every exchange
  failing     // with 500, 502, 503 or 504
};

class origin {
 public:
  origin(world& w, ledger& book, std::uint16_t port, origin_habits habits);
  // Ends all its connections, by a reset that the gateway sees at once or by closing.
  void cut(bool by_reset);
  // From now on: well for a while, then something else, and so on, each for at most so long.
  void live_moodily(microseconds at_most);

 private:
  class conversation;
  reception receive();
  world& world_;
  ledger& book_;
  std::uint16_t port_;
  origin_habits habits_;
  mood mood_ = mood::well;
  std::vector<std::shared_ptr<conversation>> conversations_;
};

}  // namespace rw::sim
