// What clients asked and origins answered, to be held against what came through the gateway.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "world.h"

namespace rw::sim {

struct request_record {
  std::uint64_t id = 0;
  std::string method;
  std::string target;
  std::string client;  // its address
  std::string body;
  bool chunked = false;
  unsigned minor = 1;
  bool to_origin = true;   // its route has one
  bool malformed = false;  // no origin may ever get to see all of it
  unsigned arrivals = 0;   // heads of it at origins
  bool answer_done = false;  // an origin has answered it in full, and that reached the gateway
};

struct answer_record {
  std::uint64_t request = 0;
  unsigned status = 0;
  std::string body;          // to be sent; for a body that ends with the connection, what was sent
  bool until_close = false;
  bool ended_well = false;   // until_close: by FIN
};

struct ledger {
  std::map<std::uint64_t, request_record> requests;
  std::map<std::uint64_t, answer_record> answers;
  std::uint64_t next_request = 1;
  std::uint64_t next_answer = 1;
  std::uint64_t answered = 0;  // responses that clients had in full, from origins
  std::uint64_t refused = 0;   // from the gateway itself
  std::uint64_t retries = 0;
};

// `size` bytes that belong to `key` alone.
std::string body_of(std::uint64_t key, std::size_t size);

}  // namespace rw::sim
