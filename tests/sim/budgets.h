// Who was to be let in and how often, by the access log: each request in the order in which the
// gateway judged them, against buckets of tokens of our own.
#pragma once

#include "ledger.h"
#include "world.h"

namespace rw::sim {

void check_rulings(world& in, ledger& book);

}  // namespace rw::sim
