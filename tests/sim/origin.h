// Origins: they take requests apart, hold them against the ledger, and answer well or badly.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ledger.h"
#include "message.h"
#include "world.h"

namespace rw::sim {

struct origin_habits {
  double faults = 1.0;  // 0: always answers, in time and in full
  std::uint64_t body_bytes_max = 200'000;
};

class origin {
 public:
  origin(world& w, ledger& book, std::uint16_t port, origin_habits habits);

 private:
  class conversation;
  world& world_;
  ledger& book_;
  std::uint16_t port_;
  origin_habits habits_;
  std::vector<std::shared_ptr<conversation>> conversations_;
};

}  // namespace rw::sim
