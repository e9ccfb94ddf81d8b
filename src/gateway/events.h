// An answer that is a text/event-stream, on its way to the client: heartbeats into its silence, and
// the word with which it ends when its caller may not go on.
#pragma once

#include <string>
#include <string_view>

#include "gateway/exchange.h"
#include "gateway/forward.h"
#include "http/event_stream.h"

namespace rw::gateway {

// In the frame of download(), after the head is in `response`; nothing at all for other answers.
class events {
 public:
  events(exchange& x, body_coding coding) noexcept;
  ~events() { x_.speaks_events = false; }
  events(const events&) = delete;
  events& operator=(const events&) = delete;

  // What has gone to the client.
  void passed(std::string_view data) noexcept {
    if (x_.speaks_events) bounds_.feed(data);
  }

  // Until more of the body has come, as stream::receive(); meanwhile route.heartbeat is kept.
  bool has_heartbeat() const noexcept { return x_.speaks_events && every_.count() > 0; }
  io::task<result<>> receive(mono_time deadline);

  // The caller may not go on, and the stream can be ended by an event of ours: then it is. False:
  // it has to be cut off where it is.
  io::task<bool> end_with_error();

 private:
  io::task<result<>> say(std::string_view text, bool last);

  exchange& x_;
  bool chunked_;
  nanoseconds every_;
  http::event_bounds bounds_;
};

}  // namespace rw::gateway
