// Origins: they take requests apart, hold them against the ledger, and answer well or badly.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ledger.h"
#include "reply.h"
#include "world.h"

namespace rw::sim {

class origin {
 public:
  origin(world& w, ledger& book, std::uint16_t port, origin_habits habits);
  // Ends all its connections, by a reset that the gateway sees at once or by closing.
  void cut(bool by_reset);

 private:
  class conversation;
  world& world_;
  ledger& book_;
  std::uint16_t port_;
  origin_habits habits_;
  std::vector<std::shared_ptr<conversation>> conversations_;
};

}  // namespace rw::sim
