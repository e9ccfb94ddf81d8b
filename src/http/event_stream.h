// text/event-stream (WHATWG HTML, "Server-sent events"): whether an octet stream is between two
// events. Pure; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "http/head.h"

namespace rw::http {

// A stream of events that anybody may add one to: not encoded, and of no length that was announced.
bool is_event_stream(const response_head& head) noexcept;

// Fed with all of a stream in pieces, whose bounds mean nothing.
class event_bounds {
 public:
  void feed(std::string_view piece) noexcept {
    // Of a long piece the end alone decides.
    for (const char c : piece.substr(piece.size() - std::min(piece.size(), last_.size()))) {
      last_ = {last_[1], last_[2], c};
    }
  }

  // What comes next begins an event: nothing has come, or an empty line last. A stream whose lines
  // end in CR alone is never there, since LF may follow.
  bool between() const noexcept {
    if (last_[2] != '\n') return false;
    return last_[1] == '\n' || (last_[1] == '\r' && (last_[0] == '\n' || last_[0] == '\r'));
  }

 private:
  std::array<char, 3> last_{'\n', '\n', '\n'};
};

// A comment, and the empty line that makes clients which read event by event pass over it.
inline constexpr std::string_view heartbeat_comment = ": ping\n\n";

}  // namespace rw::http
