// The audit records of a worker's requests: what was decided, and what became of it.
#pragma once

#include <optional>

#include "config/config.h"
#include "gateway/exchange.h"
#include "observe/audit_fold.h"
#include "observe/audit_record.h"
#include "observe/log_queue.h"

namespace rw::gateway {

struct connection;

// Of one worker. A request that is let on has room for its record set aside before anything else
// happens to it, and the record is written when it has ended, or after a second, whichever is
// first.
class auditor {
 public:
  // What requests under way may set aside, together with what waits to be written.
  static constexpr std::size_t queue_bytes = 8U << 20U;
  // A request that lasts longer than this has a record before its end.
  static constexpr std::chrono::seconds under_way_after{1};

  // `queue`: null, no audit log.
  auditor(observe::log_queue* queue, std::uint64_t secret) noexcept
      : queue_(queue), fold_(secret) {}
  void adopt(const config::log& rules);
  bool is_on() const noexcept { return queue_ != nullptr; }

  // Of an exchange that has been decided on. Where there is no room and `on_full` is reject, the
  // decision becomes 503.
  void decide(exchange& x);
  // Of a connection whose TLS handshake has failed. `reason`: a literal.
  void refuse(const connection& c, const char* reason, mono_time now, wall_time at);
  // Of what is no request's. Where there is no room it is dropped, and counted.
  void write(const observe::audit_record& what);
  // Of one that has ended; once.
  void end(exchange& x);
  // Once a second: folded refusals, and what has been under way for long.
  void look(connection* first, mono_time now, wall_time at);
  // All that is folded: nothing comes any more.
  void finish(mono_time now, wall_time at);

 private:
  bool has_room(std::size_t bytes) noexcept;
  void put(std::string_view line);
  bool write_folded(const observe::audit_fold::entry& one, wall_time at);

  observe::log_queue* queue_;
  std::size_t set_aside_ = 0;  // octets, of requests under way
  bool rejects_ = true;
  observe::audit_formatter format_;
  observe::audit_fold fold_;
  std::string line_;
};

}  // namespace rw::gateway
