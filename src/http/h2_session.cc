#include "http/h2_session.h"

#include <algorithm>
#include <vector>

#include "base/phase.h"
#include "http/h2_library.h"

namespace rw::http {
namespace {

// As of chunked_limits.
constexpr head_limits trailer_limits{.head_bytes = 8U << 10U, .header_count = 100};

}  // namespace

h2_session::h2_session(h2_session_events& to, const h2_limits& limits)
    : h2_endpoint(side::server, limits), to_(to) {
  submit_settings();
}

void h2_session::begin_section(std::int32_t, bool opens) {
  section_.start(opens ? limits_.head : trailer_limits,
                 opens ? section_kind::request : section_kind::request_trailers);
}

void h2_session::end_section(std::int32_t id, bool opens, bool ends) {
  if (opens) {
    h2_stream_events* const made = to_.on_request(id, section_, ends);
    nghttp2_session_set_stream_user_data(session_, id, made);
    return;
  }
  // RFC 9113 8.1: a second header section is the trailer section, and ends the stream.
  std::string lines;
  const outcome got = section_.make_trailers(lines);
  if (!ends || got.state == progress::refused) {
    return callbacks::fail(*this, id, h2_error::protocol_error);
  }
  if (h2_stream_events* const stream = stream_of(session_, id)) stream->on_end(std::move(lines));
}

// RFC 9113 8.1: a request that was answered before it had come whole is asked to come no further.
void h2_session::sent_end(std::int32_t id) {
  if (nghttp2_session_get_stream_remote_close(session_, id) == 0) reset(id, h2_error::no_error);
}

void h2_session::closed(std::int32_t id, std::uint32_t error) {
  if (h2_stream_events* const stream = stream_of(session_, id)) {
    stream->on_closed(error == NGHTTP2_NO_ERROR);
  }
}

void h2_session::answer(std::int32_t id, std::string_view head, bool ends) {
  const phase_scope about(phase::http2);
  constexpr std::size_t code_at = std::string_view("HTTP/1.1 ").size();
  constexpr std::size_t code_size = 3;
  std::string text(head);
  const std::size_t line = std::min(text.find("\r\n"), text.size() - 2) + 2;
  std::vector<nghttp2_nv> fields;
  fields.reserve(16);
  fields.push_back(pair_of(":status", std::string_view(text).substr(code_at, code_size)));
  take_lines(std::span(text).subspan(line), fields);
  if (is_interim(head)) {
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, fields.data(), fields.size(),
                           nullptr);
    return;
  }
  nghttp2_data_provider body{};
  body.read_callback = &callbacks::pull;
  nghttp2_submit_response(session_, id, fields.data(), fields.size(), ends ? nullptr : &body);
}

void h2_session::announce_end() { nghttp2_submit_shutdown_notice(session_); }

void h2_session::end_after_these() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

}  // namespace rw::http
