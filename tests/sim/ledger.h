// What clients asked and origins answered, to be held against what came through the gateway.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "credentials.h"
#include "world.h"

namespace rw::observe {
class log_queue;
}

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
  bool unread = false;     // its client takes no answer
  door at = door::open;
  claim shown;
  const socket* first_at = nullptr;  // the origin's end where it first arrived
  mono_time first_arrival;
  unsigned arrivals = 0;   // heads of it at origins
  unsigned status = 0;     // of the answer the client had in full; 0 for none
  std::string request_id;  // in that answer
  seconds retry_after{0};  // likewise
  unsigned access_lines = 0;
  unsigned logged_status = 0;
  std::string logged_id;
  std::string logged_reason;
  std::string logged_identity;
  std::string route;  // the one it was judged by; "" when its head was not made out
  mono_time judged;   // when that was
};

struct answer_record {
  std::uint64_t request = 0;  // 0: nobody's
  unsigned status = 0;
  std::string whole;  // the body as it was meant
  std::string body;   // as a client may take it for complete
  bool until_close = false;
  bool ended_well = false;  // until_close: by FIN
  mono_time said_at;        // the last byte, or what was to be it
};

struct ledger {
  std::map<std::uint64_t, request_record> requests;
  std::map<std::uint64_t, answer_record> answers;
  std::uint64_t next_request = 1;
  std::uint64_t next_answer = 1;
  std::vector<token> minted;   // that clients got
  std::uint64_t answered = 0;  // responses that clients had in full, from origins
  std::uint64_t refused = 0;   // from the gateway itself
  std::uint64_t retries = 0;
  std::uint64_t access_lines = 0;
  std::uint64_t unauthorised = 0;  // requests refused for what they showed
  std::uint64_t limited = 0;       // refused by a limit
  std::uint64_t given_back = 0;    // to an early limit, by one of identity
  bool withdrawn = false;          // a configuration that lacks a key has been in force
  bool calm = false;               // no peer fails: every request must have its answer
  std::function<void(std::uint16_t)> on_arrival;  // of a request's head at the origin on that port
  bool draining = false;  // from now on the gateway may leave anybody unanswered

  // From an answer of the mint. False when it is not the token that was due, or not a new one.
  bool take_minted(std::string_view body, const claim& shown, mono_time now);
  // What the gateway has logged since the last time.
  void read_access_log(observe::log_queue& log);
  // At the end: what was answered and what was logged have to be the same, and what was due.
  void audit(world& in);
};

// `size` bytes that belong to `key` alone.
std::string body_of(std::uint64_t key, std::size_t size);

}  // namespace rw::sim
