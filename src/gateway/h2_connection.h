// A client's connection that speaks HTTP/2 (RFC 9113): one session, and an exchange for each of its
// streams, which goes the way that HTTP/1.1's go.
#pragma once

#include <coroutine>
#include <memory>
#include <string>
#include <vector>

#include "gateway/connection.h"
#include "gateway/h2_stream.h"
#include "http/h2_session.h"
#include "io/task.h"

namespace rw::gateway {

// Whether the connection has agreed on HTTP/2, or can speak nothing else: to be asked after its
// handshake.
bool speaks_h2(const connection& c) noexcept;
// In the clear: whether what was refused as a request of HTTP/1.1 is the first line of HTTP/2's
// preface (RFC 9113 3.3), and may be.
bool begins_h2(const connection& c) noexcept;
// Serves a client that speaks it until either side ends the connection; closing it is the caller's.
io::task<> serve_h2(connection& c);

// Streams that a worker has under way at once, over all its connections: no more than it may have
// clients. Beyond them new ones are refused, and may be tried again.
inline constexpr std::uint32_t h2_streams_per_worker_max = 8192;
std::uint32_t h2_streams_of_worker(const config::configuration& of, unsigned workers) noexcept;

class h2_connection final : public http::h2_session_events {
 public:
  explicit h2_connection(connection& client);

  io::task<> run();

  // ---- for its streams
  http::h2_session& session() noexcept { return session_; }
  // What was said to the session is sent before this turn of the loop ends, with all else that is.
  void flush();
  // Of its worker, for all connections.
  http::window_pool& windows() noexcept;
  nanoseconds round_trip() noexcept;
  // Whether it is the client's doing that nothing of the stream is sent.
  bool holds_up(const h2_stream& one) const noexcept;

 private:
  struct nothing_to_send;

  http::h2_stream_events* on_request(std::int32_t id, const http::h2_section& section,
                                     bool ends) override;
  void serve_new();
  io::task<> serve(std::unique_ptr<h2_stream> stream, http::outcome head);
  io::task<> write();
  bool receive_ended(const error& why);
  void forget_glitches();
  bool is_section_late() const noexcept;
  void watch_section() noexcept;
  void begin_end();
  mono_time patience() const noexcept;
  mono_time patience_between() const noexcept;
  void rest();

  connection& client_;
  worker& worker_;
  http::h2_session session_;
  struct fresh {
    std::unique_ptr<h2_stream> stream;
    http::outcome head;
  };
  std::vector<fresh> fresh_;  // that have come since serve_new()
  io::gate streams_;
  io::gate writing_;
  std::coroutine_handle<> writer_;  // while it has nothing to send
  std::string out_;
  fault cut_by_ = fault::canceled;  // what those that are sending end with, when all do
  mono_time forgotten_;             // until when glitches were
  mono_time rests_since_;           // while no stream is under way
  std::uint64_t section_ = 0;       // the header section that has begun and not ended; 0: none
  mono_time section_since_;         // when it began
  mono_time last_call_;  // set: the client was told to begin no more streams, and has until then
  bool told_ = false;    // which ones were the last
  bool over_ = false;
};

}  // namespace rw::gateway
