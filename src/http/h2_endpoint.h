// What both sides of an HTTP/2 connection have in common (RFC 9113): octets in, events out; what is
// said of streams in, octets out. No I/O, no clock; one thread. nghttp2 does frames, HPACK and flow
// control, and is included by the sources of http/h2_* alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/h2_frames.h"
#include "http/h2_head.h"
#include "http/h2_window.h"

struct nghttp2_session;

namespace rw::http {

// RFC 9113 7; the ones that we say.
enum class h2_error : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  refused_stream = 7,
  cancel = 8,
  enhance_your_calm = 11
};

// One stream, as its session knows it. Called from h2_endpoint::receive() and write(), within which
// the session may be told things but neither of the two may be called.
class h2_stream_events {
 public:
  // Of the peer's body: valid until this returns.
  virtual void on_data(std::string_view bytes) = 0;
  // Nothing more comes. `trailers`: see h2_section::make_trailers(); empty where there are none.
  virtual void on_end(std::string trailers) = 0;
  // The stream is no more; nothing may be said of it. no_error: both sides have ended it.
  virtual void on_closed(bool in_order) = 0;
  // Of our own body: writes some of it to `room`, and whether that was the last. 0 and not the
  // last: nothing is there yet, see resume().
  struct pulled {
    std::size_t bytes = 0;
    bool last = false;
  };
  virtual pulled pull(std::span<char> room) = 0;
  // With the end of the body, "name: value\r\n" lines; usually none.
  virtual std::string_view trailers() = 0;

 protected:
  ~h2_stream_events() = default;
};

// Of a head as text: another one follows it (RFC 9110 15.2).
inline bool is_interim(std::string_view head) noexcept {
  return head.substr(0, 10) == "HTTP/1.1 1";
}

struct h2_limits {
  head_limits head;
  std::uint32_t streams = 128;   // under way at once
  std::uint32_t glitches = 100;  // see h2_endpoint::pardon()
};

class h2_endpoint {
 public:
  h2_endpoint(const h2_endpoint&) = delete;
  h2_endpoint& operator=(const h2_endpoint&) = delete;

  // All that has come, the peer's preface included. False: the connection is beyond repair; what
  // write() still gives says so to the peer.
  bool receive(std::string_view bytes);
  // Appends frames to `out` until it holds about `enough` octets or there is no more to say.
  void write(std::string& out, std::size_t enough);
  // Nothing to be said, now or after what may still come.
  bool finished() const noexcept;
  // As of h2_frames: of what has come.
  std::uint64_t open_section() const noexcept { return frames_.open_section(); }

  // What costs a peer next to nothing and us more, or is never done by one that is well, counts as
  // a glitch: streams that it makes us reset, and those that a client resets; SETTINGS, PING,
  // PRIORITY and unknown frames; DATA with nothing or only padding in it; DATA, HEADERS and
  // RST_STREAM of a stream that is over, beyond what may have been on its way; WINDOW_UPDATE beyond
  // two for each DATA frame and header section; more fields than anybody may have. With
  // limits.glitches of them the connection has used up our patience: it ends with
  // ENHANCE_YOUR_CALM. So many are forgotten:
  void pardon(std::uint32_t glitches) noexcept;
  bool out_of_patience() const noexcept { return glitches_ >= limits_.glitches; }

  // ---- about a stream that was not closed
  // pull() has something to give again.
  void resume(std::int32_t id);
  // So many octets of the peer's body have been taken: it may send as many more.
  void consumed(std::int32_t id, std::size_t bytes);
  // From here on the peer may send so many that were not taken, instead of the
  // receive_window::first that each stream begins with; no fewer than before.
  void widen(std::int32_t id, std::uint32_t window);
  void reset(std::int32_t id, h2_error why);
  // Goes on with what it was told of the stream, and tells nobody what becomes of it.
  void release(std::int32_t id);
  // Neither side's window lets any more of our body go.
  bool is_held_up(std::int32_t id) const noexcept;

  void end(h2_error why);

 protected:
  enum class side : std::uint8_t { server, client };
  h2_endpoint(side which, const h2_limits& limits);
  ~h2_endpoint();

  struct callbacks;
  void submit_settings();

  const side side_;
  h2_limits limits_;
  nghttp2_session* session_ = nullptr;
  h2_section section_;         // of the header section that comes in
  bool has_settings_ = false;  // the peer's have come
  bool told_to_end_ = false;   // by the peer's GOAWAY
  bool has_failed_ = false;    // our own GOAWAY with an error has gone out
  std::uint32_t glitches_ = 0;

 private:
  // A header section of a stream begins and has come whole. `opens`: it is a request's, or the
  // first of an answer; `ends`: nothing follows.
  virtual void begin_section(std::int32_t id, bool opens) = 0;
  virtual void end_section(std::int32_t id, bool opens, bool ends) = 0;
  // The end of what we have to say on a stream has gone out.
  virtual void sent_end(std::int32_t id) = 0;
  // A stream is no more; `error` as of RFC 9113 7.
  virtual void closed(std::int32_t id, std::uint32_t error) = 0;
  // A frame that carries something for somebody came, or went.
  virtual void passed_data() noexcept = 0;

  void expect_updates() noexcept;
  void count_reset(std::uint32_t error) noexcept;
  void count_reset_of_peer(std::int32_t id) noexcept;
  bool is_over(std::int32_t id) const noexcept;
  void count_stray_data() noexcept;
  void count_strays(std::uint64_t frames, std::uint64_t octets) noexcept;

  h2_frames frames_;
  std::uint64_t section_size_ = 0;  // of its fields, those that were not kept too
  std::uint32_t updates_ = 4;       // WINDOW_UPDATE frames that are nobody's glitch
  std::uint64_t strays_ = 0;        // octets for streams that we have reset, likewise
  h2_frames::tally data_;           // that the library has read
  std::size_t room_ = 0;            // while write() asks for data
};

}  // namespace rw::http
