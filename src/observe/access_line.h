// One line per request, for people and for machines.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "observe/redaction.h"
#include "observe/time_text.h"

namespace rw::observe {

// Views live as long as the call. Texts may hold any octets: lines are valid UTF-8 all the same.
struct access_record {
  wall_time at;  // when the first byte of the request came
  std::string_view request_id;
  std::string_view trace;  // trace-id of its traceparent, as the origin got it
  std::string_view span;   // and parent-id
  std::string_view client;
  std::string_view country;  // of the client: "DE"
  std::string_view identity;
  std::string_view route;
  std::string_view upstream;
  std::string_view method;
  std::string_view host;
  std::string_view path;   // normalised where that was possible, else as it came
  std::string_view query;  // with its '?', or empty
  std::string_view protocol;
  std::string_view tls;  // "TLSv1.3" or empty
  std::string_view user_agent;
  std::string_view referer;
  unsigned status = 0;
  std::string_view reason;  // empty for what the origin answered
  std::string_view shadow;  // a limit that would have refused it, were it not in shadow mode
  unsigned attempts = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  nanoseconds head{0};          // until the head was complete
  nanoseconds decide{0};        // until it was decided on
  nanoseconds connect{0};       // until there was an upstream connection
  nanoseconds upstream_tls{0};  // of that, the TLS handshake; 0: none
  nanoseconds first_byte{0};    // until the origin began to answer
  nanoseconds total{0};
};

enum class access_format : std::uint8_t {
  json,      // one object a line
  combined,  // NCSA combined, as nginx and Apache write it
  pretty,    // a readable line, for `ringward demo`
  coloured   // the same for a terminal
};

// Of one worker. Keeps what does not change from line to line.
class access_formatter {
 public:
  access_formatter() = default;
  access_formatter(access_format format, std::span<const std::string> redact)
      : format_(format), redaction_(redact) {}

  // What a line of this record needs at most, line feed included.
  std::size_t bytes_max(const access_record& record) const noexcept;
  // The bytes written; `out` has bytes_max() at least.
  std::size_t write(const access_record& record, std::span<char> out);

 private:
  std::string_view referer_of(const access_record& record);

  access_format format_ = access_format::json;
  redaction redaction_;
  time_text time_;
  std::string redacted_;
  std::string referer_;
};

}  // namespace rw::observe
