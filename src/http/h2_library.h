// What the sources of http/h2_* share of nghttp2. Internal to http/.
#pragma once

#include <nghttp2/nghttp2.h>

#include <span>
#include <string_view>
#include <vector>

#include "http/h2_endpoint.h"

namespace rw::http {

inline std::string_view text_of(nghttp2_rcbuf* bytes) noexcept {
  const nghttp2_vec vec = nghttp2_rcbuf_get_buf(bytes);
  return {reinterpret_cast<const char*>(vec.base), vec.len};
}

inline h2_stream_events* stream_of(nghttp2_session* session, std::int32_t id) noexcept {
  return static_cast<h2_stream_events*>(nghttp2_session_get_stream_user_data(session, id));
}

inline void forget(nghttp2_session* session, std::int32_t id) noexcept {
  nghttp2_session_set_stream_user_data(session, id, nullptr);
}

inline bool ends_stream(const nghttp2_frame& frame) noexcept {
  return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

// nghttp2 copies both, and writes to neither.
inline nghttp2_nv pair_of(std::string_view name, std::string_view value) noexcept {
  const auto octets = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// The lines of `text`, up to the blank one, names put into lower case (RFC 9113 8.2) where they
// are; appended to `out`, which then has views of `text`.
void take_lines(std::span<char> text, std::vector<nghttp2_nv>& out);

// What nghttp2 calls; `self` is the endpoint.
struct h2_endpoint::callbacks {
  static h2_endpoint& of(void* self) noexcept { return *static_cast<h2_endpoint*>(self); }

  // Resets a stream and tells it so.
  static void fail(h2_endpoint& session, std::int32_t id, h2_error why);
  static nghttp2_session_callbacks* make();
  static ssize_t pull(nghttp2_session* session, std::int32_t id, std::uint8_t* room,
                      std::size_t size, std::uint32_t* flags, nghttp2_data_source*, void* self);

 private:
  static int on_begin(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_field(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name,
                      nghttp2_rcbuf* value, std::uint8_t, void* self);
  static int on_header(nghttp2_session*, const nghttp2_frame_hd* frame, void* self);
  static int on_unknown(nghttp2_session*, void**, const nghttp2_frame_hd*, void*);
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* bytes, std::size_t size, void*);
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* self);
  static int on_sent(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_not_sent(nghttp2_session*, const nghttp2_frame* frame, int error, void* self);
  static ssize_t length(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t connection,
                        std::int32_t stream, std::uint32_t frame, void* self);
};

}  // namespace rw::http
