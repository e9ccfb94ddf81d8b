// What origins answer: well-formed and not, whole and not, drawn from the world's seed.
#pragma once

#include <cstdint>
#include <string>

#include "ledger.h"
#include "world.h"

namespace rw::sim {

struct origin_habits {
  double faults = 1.0;  // 0: always answers, in time and in full
  std::uint64_t body_bytes_max = 200'000;
  bool tls = false;
  bool fails = false;  // answers that something is wrong with it
  double late = 0;     // how often it takes almost as long as it may
};

// What becomes of the connection after an answer, or in place of one.
enum class ending : std::uint8_t { keep, close, reset, stall };

struct reply {
  std::string wire;  // as far as it is sent
  ending then = ending::keep;
};

// The final answer with that number to a request; `into` has the truth about it from now on.
// `out.then` is what was planned, and may get worse.
void compose(world& in, bool calm, const origin_habits& habits, const request_record& to,
             std::uint64_t number, answer_record& into, reply& out);

// An answer to nothing, with a number of its own: nobody's request that comes later may get it.
std::string stray(std::uint64_t number);

}  // namespace rw::sim
