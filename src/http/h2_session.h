// The server's side of one HTTP/2 connection (RFC 9113): requests in, answers out. What a request
// may be is h2_section's to say, which is stricter than nghttp2.
#pragma once

#include "http/h2_endpoint.h"

namespace rw::http {

class h2_session_events {
 public:
  // A request's header section has come, whole; `ends`: and it has no body. What it answers is told
  // all that becomes of the stream, until on_closed(); null: nothing is, the stream was reset.
  virtual h2_stream_events* on_request(std::int32_t id, const h2_section& section, bool ends) = 0;

 protected:
  ~h2_session_events() = default;
};

class h2_session final : public h2_endpoint {
 public:
  h2_session(h2_session_events& to, const h2_limits& limits);

  // ---- about a stream that was not closed
  // The head of an answer as text, with its status line; 1xx: another one follows. `ends`: there is
  // no body, else pull() is asked for it.
  void answer(std::int32_t id, std::string_view head, bool ends);

  // No stream after those that have come: at first only announced, since some are on their way.
  void announce_end();
  // None after those that have come by now.
  void end_after_these();

 private:
  void begin_section(std::int32_t id, bool opens) override;
  void end_section(std::int32_t id, bool opens, bool ends) override;
  void sent_end(std::int32_t id) override;
  void closed(std::int32_t id, std::uint32_t error) override;
  void passed_data() noexcept override {}

  h2_session_events& to_;
};

}  // namespace rw::http
