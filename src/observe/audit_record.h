// What an audit record says, and its text: one JSON object a line, all but the members that chain
// it to the one before (audit_chain.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "observe/redaction.h"
#include "observe/time_text.h"

namespace rw::observe {

// docs/audit.md has a table of them. The chain makes `start`, `stop` and `checkpoint` itself.
enum class audit_event : std::uint8_t {
  authentication,
  authorization,
  rate_limit,
  ban,
  mint,
  revocation,
  key_set,
  secret,
  config,
  admin,
  start,
  stop,
  checkpoint
};
std::string_view name(audit_event one) noexcept;

// `allow` and `deny` are what a request met; `done` and `failed` what became of something that was
// to be changed.
enum class audit_result : std::uint8_t { allow, deny, done, failed };
std::string_view name(audit_result one) noexcept;

// Views live as long as the call and may hold any octets; what is empty or 0 is left out, but for
// `bytes_in` and `bytes_out` of what has a status. Never a credential.
struct audit_record {
  wall_time at;  // of the request's first byte, or of what happened; of `emit` when it is 0
  audit_event what = audit_event::admin;
  audit_result outcome = audit_result::done;
  std::string_view reason;         // snake_case
  std::string_view client;         // an address
  std::uint16_t port = 0;          // of `client`, when it is the peer itself
  std::string_view country;        // of `client`, where it is known
  std::string_view identity;       // who, as authentication found
  std::string_view credential;     // its kind: "api_key", "jwt"
  std::string_view credential_id;  // which one: a key's name, a token's jti
  std::string_view issuer;         // of a token, by its table's name
  std::string_view method;
  std::string_view path;
  std::string_view query;  // with its '?'; what log.redact names is taken out
  std::string_view route;
  std::string_view request_id;
  std::string_view trace;   // trace-id of its traceparent
  std::string_view object;  // what an operator's act was about: a file, a server, a jti
  std::string_view detail;  // for people
  // Of the answer, once there is one.
  unsigned status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  bool under_way = false;  // recorded while its answer goes on; another follows at its end
  // Folded: so many of the same kind and client, the first of them at `since`.
  std::uint64_t count = 0;
  wall_time since;
};

// Of one thread.
class audit_formatter {
 public:
  // A path with its query has at most this many octets in a record; `path_bytes` says how many it
  // had.
  static constexpr std::size_t path_bytes_max = 2048;
  // What write_end() needs.
  static constexpr std::size_t end_bytes_max = 128;

  audit_formatter() = default;
  explicit audit_formatter(std::span<const std::string> redact) : redaction_(redact) {}

  // Replaces `out` by what is known when a request has been decided on: `"time":"…","event":"…",…`.
  // The first members come in this order in every record, and no octet of a client's is before
  // them: time, event, result, reason, client.
  void begin(const audit_record& record, std::string& out);
  // Appends the rest, with `}` and a line feed.
  static void end(const audit_record& record, std::string& out);

 private:
  redaction redaction_;
  time_text time_;
  time_text since_;
  std::string redacted_;
};

}  // namespace rw::observe
