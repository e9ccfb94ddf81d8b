// One connection to an origin that speaks HTTP/2 (RFC 9113): a session and the streams of whoever
// has a request there, as many at once as the origin takes.
#pragma once

#include <sys/socket.h>

#include <coroutine>
#include <memory>
#include <string>
#include <vector>

#include "http/h2_client.h"
#include "http/h2_window.h"
#include "io/task.h"
#include "net/stream.h"
#include "tls/client_context.h"
#include "upstream/server.h"

namespace rw::upstream {

class h2_stream;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// What a connection is opened by; copied, since it outlives who asked for it.
struct h2_terms {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::shared_ptr<tls::client_target> tls;  // null: plain, by prior knowledge
  nanoseconds connect{};                    // for connection, handshake and the origin's SETTINGS
  nanoseconds gap{};                        // that it may leave unread what it is sent
  std::uint32_t streams = 100;              // at once
  std::uint64_t requests_max = 0;           // in all; 0: without end
};

// Of one thread. Lives as long as its pool, its streams or its own run() need it.
class h2_link {
 public:
  // What an origin's head may measure, as in HTTP/1.1.
  static constexpr http::head_limits origin_limits{64U << 10U, http::fields_max, 8U << 10U};
  // Frames that carry nothing (h2_endpoint::pardon()) that are borne at once; so many are forgotten
  // each second, and two for each frame that carries something.
  static constexpr std::uint32_t glitches_max = 1000;
  static constexpr std::uint32_t glitches_per_second = 100;
  // Streams that we reset: beyond so many at once, and so many more each second, it gets no more
  // requests. Servers bear about 200 in 30 s before they end a connection for it (CVE-2023-44487),
  // whoever else is served there; so one client's whims cost connections and nobody's answers.
  static constexpr unsigned resets_max = 50;
  static constexpr unsigned resets_per_second = 2;
  // A caller's own deadline says nothing of a connection that was silent for less.
  static constexpr std::chrono::seconds silence_min{1};
  // All pieces of a header section, which keeps everything else from coming.
  static constexpr std::chrono::seconds section_time_max{10};

  h2_link(io::loop& on, http::window_pool& windows, h2_terms terms);
  ~h2_link();
  h2_link(const h2_link&) = delete;
  h2_link& operator=(const h2_link&) = delete;

  // Opens the connection and serves its streams until it has ended; every one of them is told then.
  static io::task<> run(std::shared_ptr<h2_link> self);

  // ---- for its pool
  bool is_opening() const noexcept { return state_ == state::opening; }
  bool is_open() const noexcept { return state_ == state::open; }
  bool is_over() const noexcept { return state_ == state::over; }
  // Another stream may be made of it; `streams`: how many there are at most, while that is not
  // known. `sends`: one with a body, which has to leave.
  bool takes_more(std::uint32_t streams, bool sends) const noexcept;
  // How many it has at once, as far as is known.
  std::uint32_t streams_max() const noexcept;
  std::size_t streams() const noexcept { return streams_.size(); }
  bool is_idle() const noexcept { return streams_.empty() && !is_opening(); }
  mono_time idle_since() const noexcept { return idle_since_; }
  std::uint64_t requests() const noexcept { return requests_; }
  // No more streams: it ends when those under way have.
  void drain() noexcept;
  // Ends now.
  void end() noexcept;

  // ---- for who has a stream
  // Of the connection; null: plain.
  const tls::codec* tls() const noexcept { return socket_.tls(); }
  const h2_terms& terms() const noexcept { return terms_; }
  // What the handshake took, where it was agreed on; 0 before.
  nanoseconds handshake_time() const noexcept { return handshake_time_; }
  // Why it is_over().
  const error& why() const noexcept { return why_; }
  // A stream has waited in vain for so long: where nothing at all has come for half of that, nobody
  // else is to wait here. What comes at first is often only the server's word to our SETTINGS.
  void suspect(nanoseconds waited) noexcept;
  // The same for one that waited for less than a server may take, by its caller's own will: where
  // nothing has come for silence_min since somebody first asked for something.
  void doubt() noexcept;

  // ---- for its streams
  io::loop& loop() const noexcept { return socket_.loop(); }
  http::h2_client& session() noexcept { return session_; }
  http::window_pool& windows() noexcept { return windows_; }
  void add(h2_stream& one);
  void remove(h2_stream& one) noexcept;
  bool has_place_for(const h2_stream& one) const noexcept;
  // As of h2_client::request().
  std::int32_t begin(std::string_view head, bool ends, h2_stream& one);
  void reset(std::int32_t id, http::h2_error why);
  // What was said to the session is sent before this turn of the loop ends.
  void flush();
  bool is_told_to_end() const noexcept { return session_.told_to_end(); }
  // Whether it is the origin's doing that nothing of the stream is sent.
  bool holds_up(std::int32_t id) const noexcept;
  nanoseconds round_trip() noexcept;

 private:
  struct nothing_to_send;
  enum class state : std::uint8_t { opening, open, over };

  io::task<result<>> open();
  io::task<result<>> agree(mono_time by);
  io::task<result<>> listen();
  io::task<> write();
  result<> take_input();
  mono_time patience() const noexcept;
  void forget_glitches() noexcept;
  void wake_all() noexcept;
  bool is_worn() const noexcept;

  net::stream socket_;
  http::window_pool& windows_;
  h2_terms terms_;
  http::h2_client session_;
  state state_ = state::opening;
  bool draining_ = false;
  bool ending_ = false;
  std::vector<h2_stream*> streams_;  // in the order in which they came
  std::uint64_t requests_ = 0;
  io::gate writing_;
  std::coroutine_handle<> writer_;  // while it has nothing to send
  bool written_out_ = false;        // write() is to end when there is nothing left
  std::string out_;
  error why_;
  nanoseconds handshake_time_{0};
  mono_time idle_since_;
  mono_time received_at_;
  mono_time asked_at_;  // first, of what was since then; mono_time{}: nothing
  unsigned resets_ = 0;
  mono_time resets_since_;
  mono_time forgotten_;        // until when glitches were
  std::uint64_t section_ = 0;  // the header section that has begun and not ended; 0: none
  mono_time section_since_;
};

}  // namespace rw::upstream
