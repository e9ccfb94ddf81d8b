#include "http/h2_client.h"

#include <algorithm>
#include <vector>

#include "base/phase.h"
#include "http/h2_library.h"

namespace rw::http {
namespace {

// As of chunked_limits.
constexpr head_limits trailer_limits{.head_bytes = 8U << 10U, .header_count = 100};

h2_answer_events* answer_of(nghttp2_session* session, std::int32_t id) noexcept {
  return static_cast<h2_answer_events*>(stream_of(session, id));
}

// What one client sends must not be guessed by what another one's takes of the table (RFC 7541
// 7.1), and what differs each time would only push out what does not.
bool is_kept_out_of_table(std::string_view name) noexcept {
  return name == "authorization" || name == "x-api-key" || name == "cookie" || name == "dpop" ||
         name == "x-request-id" || name == "traceparent";
}

}  // namespace

h2_client::h2_client(const h2_limits& limits) : h2_endpoint(side::client, limits) {
  submit_settings();
}

bool h2_client::goes_on() const noexcept { return nghttp2_session_want_read(session_) != 0; }

std::uint32_t h2_client::streams_max() const noexcept {
  return std::min(limits_.streams, nghttp2_session_get_remote_settings(
                                       session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

bool h2_client::has_window() const noexcept {
  return nghttp2_session_get_remote_window_size(session_) > 0;
}

bool h2_client::may_begin() const noexcept {
  return !told_to_end_ && nghttp2_session_check_request_allowed(session_) != 0;
}

std::int32_t h2_client::request(std::string_view head, std::string_view scheme, bool ends,
                                h2_answer_events& to) {
  const phase_scope about(phase::http2);
  std::string text(head);
  const std::string_view all(text);
  const std::size_t method = std::min(all.find(' '), all.size());
  const std::size_t path = std::min(all.find(' ', method + 1), all.size());
  const std::size_t line = std::min(all.find("\r\n"), all.size() - 2) + 2;
  std::vector<nghttp2_nv> fields;
  fields.reserve(32);
  fields.push_back(pair_of(":method", all.substr(0, method)));
  fields.push_back(pair_of(":scheme", scheme));
  fields.push_back(pair_of(":path", all.substr(method + 1, path - method - 1)));
  const std::size_t first = fields.size();
  take_lines(std::span(text).subspan(line), fields);
  for (std::size_t i = first; i < fields.size(); ++i) {
    const std::string_view name{reinterpret_cast<const char*>(fields[i].name), fields[i].namelen};
    if (is_kept_out_of_table(name)) fields[i].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    if (name != "host") continue;
    // Pseudo-header fields come before the others (RFC 9113 8.3).
    nghttp2_nv authority = fields[i];
    const std::string_view value{reinterpret_cast<const char*>(authority.value),
                                 authority.valuelen};
    authority = pair_of(":authority", value);
    fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(i));
    fields.insert(fields.begin() + static_cast<std::ptrdiff_t>(first), authority);
  }
  nghttp2_data_provider body{};
  body.read_callback = &callbacks::pull;
  h2_stream_events* const told = &to;
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                                 ends ? nullptr : &body, told);
  return std::max(id, 0);
}

void h2_client::begin_section(std::int32_t id, bool opens) {
  const h2_answer_events* const stream = answer_of(session_, id);
  const bool trailers = !opens && (stream == nullptr || stream->has_head());
  section_.start(trailers ? trailer_limits : limits_.head,
                 trailers ? section_kind::response_trailers : section_kind::response);
}

void h2_client::end_section(std::int32_t id, bool, bool ends) {
  h2_answer_events* const stream = answer_of(session_, id);
  if (stream == nullptr) return;
  if (!stream->has_head()) {
    if (!stream->on_head(section_, ends)) reset(id, h2_error::protocol_error);
    return;
  }
  std::string lines;
  const outcome got = section_.make_trailers(lines);
  if (!ends || got.state == progress::refused) {
    return callbacks::fail(*this, id, h2_error::protocol_error);
  }
  stream->on_end(std::move(lines));
}

void h2_client::closed(std::int32_t id, std::uint32_t error) {
  h2_answer_events* const stream = answer_of(session_, id);
  if (stream == nullptr) return;
  if (error == NGHTTP2_REFUSED_STREAM) stream->on_refused();
  stream->on_closed(error == NGHTTP2_NO_ERROR);
}

}  // namespace rw::http
