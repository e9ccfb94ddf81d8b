#include "http/h2_endpoint.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/phase.h"
#include "base/text.h"
#include "http/h2_library.h"

namespace rw::http {
namespace {

// Of all streams of a connection together. What is received is a stream's to hold, within its own
// window, so that one that nobody reads keeps no other from receiving; and since each has promised
// what it can hold, this promises nothing. Updates come by halves: twice what one stream may need.
constexpr std::int32_t connection_window = 16 << 20;
static_assert(connection_window > 2 * receive_window::most);
// A header section of 32 KiB is two frames; nobody sends it in tiny pieces.
constexpr std::size_t continuations_max = 16;
constexpr std::size_t settings_max = 32;  // in one frame
constexpr std::uint32_t no_priorities = 1;
// Fields in the dynamic table cost one octet each: whoever sends so many times what it may is
// after something else than an answer.
constexpr std::uint64_t section_factor = 16;
constexpr std::uint32_t updates_max = 1000;
constexpr std::uint32_t updates_per_frame = 2;
// What a head may measure that we send: more than anybody writes (gateway/head_space.h), with what
// nghttp2 takes HPACK to cost at most. One that it will not send looks like a refusal of the
// peer's.
constexpr std::size_t sent_section_max = (1U << 20U) + std::size_t{16} * (fields_max + 64);

}  // namespace

void take_lines(std::span<char> text, std::vector<nghttp2_nv>& out) {
  const std::string_view all(text.data(), text.size());
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = all.find("\r\n", at);
    const std::size_t colon = all.find(": ", at);
    if (end == all.npos || colon >= end) return;  // the blank line
    for (char& c : text.subspan(at, colon - at)) c = ascii_lower(c);
    out.push_back(pair_of(all.substr(at, colon - at), all.substr(colon + 2, end - colon - 2)));
    at = end + 2;
  }
}

void h2_endpoint::callbacks::fail(h2_endpoint& session, std::int32_t id, h2_error why) {
  h2_stream_events* const stream = stream_of(session.session_, id);
  session.reset(id, why);
  if (stream != nullptr) stream->on_closed(false);
}

int h2_endpoint::callbacks::on_begin(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  h2_endpoint& session = of(self);
  session.section_size_ = 0;
  const auto kind = frame->headers.cat;
  if (kind == NGHTTP2_HCAT_REQUEST || !session.is_over(frame->hd.stream_id)) {
    session.expect_updates();
    session.passed_data();
  }
  session.begin_section(frame->hd.stream_id,
                        kind == NGHTTP2_HCAT_REQUEST || kind == NGHTTP2_HCAT_RESPONSE);
  return 0;
}

int h2_endpoint::callbacks::on_field(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name,
                                     nghttp2_rcbuf* value, std::uint8_t, void* self) {
  h2_endpoint& session = of(self);
  const std::string_view value_text = text_of(value);
  const std::string_view name_text = text_of(name);
  session.section_size_ += name_text.size() + value_text.size();
  if (session.section_size_ > section_factor * session.limits_.head.head_bytes) {
    session.glitches_ = session.limits_.glitches;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  session.section_.add(name_text, value_text);
  return 0;
}

// The header of a frame, before anything is known of the rest.
int h2_endpoint::callbacks::on_header(nghttp2_session*, const nghttp2_frame_hd* frame, void* self) {
  h2_endpoint& session = of(self);
  switch (frame->type) {
    case NGHTTP2_HEADERS:
      if (session.is_over(frame->stream_id)) {
        session.count_strays(1, frame->length + h2_frames::header_bytes);
      }
      break;
    case NGHTTP2_DATA:
      session.data_.add(static_cast<std::uint32_t>(frame->length));
      break;
    case NGHTTP2_SETTINGS:
      if ((frame->flags & NGHTTP2_FLAG_ACK) == 0) ++session.glitches_;
      break;
    case NGHTTP2_RST_STREAM:
      session.count_reset_of_peer(frame->stream_id);
      break;
    case NGHTTP2_WINDOW_UPDATE:
      session.updates_ > 0 ? --session.updates_ : ++session.glitches_;
      break;
    case NGHTTP2_PUSH_PROMISE:
      // Nobody may, whether or not it has seen our SETTINGS by now: its streams would be nobody's.
      session.end(h2_error::protocol_error);
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    default:
      ++session.glitches_;
      break;
  }
  return 0;
}

// Of a frame that RFC 9113 does not know, which was counted above: it is left out.
int h2_endpoint::callbacks::on_unknown(nghttp2_session*, void**, const nghttp2_frame_hd*, void*) {
  return NGHTTP2_ERR_CANCEL;
}

int h2_endpoint::callbacks::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  h2_endpoint& session = of(self);
  const std::int32_t id = frame->hd.stream_id;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS: {
      const auto kind = frame->headers.cat;
      session.end_section(id, kind == NGHTTP2_HCAT_REQUEST || kind == NGHTTP2_HCAT_RESPONSE,
                          ends_stream(*frame));
      break;
    }
    case NGHTTP2_DATA:
      // Padding is nothing, however much of it there is.
      if (!ends_stream(*frame) && frame->hd.length <= frame->data.padlen) {
        ++session.glitches_;
        break;
      }
      session.passed_data();
      if (!ends_stream(*frame)) break;
      if (h2_stream_events* const stream = stream_of(session.session_, id)) stream->on_end({});
      break;
    case NGHTTP2_SETTINGS:
      session.has_settings_ = true;
      break;
    case NGHTTP2_GOAWAY:
      session.told_to_end_ = true;
      break;
    default:
      break;
  }
  return 0;
}

int h2_endpoint::callbacks::on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                                    const std::uint8_t* bytes, std::size_t size, void*) {
  nghttp2_session_consume_connection(session, size);
  if (h2_stream_events* const stream = stream_of(session, id)) {
    stream->on_data({reinterpret_cast<const char*>(bytes), size});
  }
  return 0;
}

int h2_endpoint::callbacks::on_close(nghttp2_session*, std::int32_t id, std::uint32_t error,
                                     void* self) {
  of(self).closed(id, error);
  return 0;
}

int h2_endpoint::callbacks::on_sent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  if (frame->hd.type == NGHTTP2_DATA) {
    of(self).expect_updates();
    of(self).passed_data();
  }
  if (frame->hd.type == NGHTTP2_RST_STREAM) of(self).count_reset(frame->rst_stream.error_code);
  if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
    of(self).has_failed_ = true;
  }
  const bool has_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
  if (has_end && ends_stream(*frame)) of(self).sent_end(frame->hd.stream_id);
  return 0;
}

// A head that nghttp2 does not send, for its size: nothing else may follow on that stream.
int h2_endpoint::callbacks::on_not_sent(nghttp2_session*, const nghttp2_frame* frame, int error,
                                        void* self) {
  // A request's stream is closed by nghttp2 itself.
  if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat != NGHTTP2_HCAT_REQUEST &&
      error != NGHTTP2_ERR_STREAM_CLOSING) {
    fail(of(self), frame->hd.stream_id, h2_error::internal_error);
  }
  return 0;
}

// How much of a body goes into one frame: what fills the buffer that write() fills, so that much of
// one stream and little of many leave in pieces of one size.
ssize_t h2_endpoint::callbacks::length(nghttp2_session*, std::uint8_t, std::int32_t,
                                       std::int32_t connection, std::int32_t stream,
                                       std::uint32_t frame, void* self) {
  constexpr std::size_t least = 1024;
  const std::size_t room = std::clamp<std::size_t>(of(self).room_, least, frame);
  return std::min<ssize_t>({connection, stream, static_cast<ssize_t>(room)});
}

ssize_t h2_endpoint::callbacks::pull(nghttp2_session* session, std::int32_t id, std::uint8_t* room,
                                     std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                                     void* self) {
  h2_stream_events* const stream = stream_of(session, id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const h2_stream_events::pulled got = stream->pull({reinterpret_cast<char*>(room), size});
  if (!got.last) {
    return got.bytes == 0 ? NGHTTP2_ERR_DEFERRED : static_cast<ssize_t>(got.bytes);
  }
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  std::string lines(stream->trailers());
  if (lines.empty()) return static_cast<ssize_t>(got.bytes);
  std::vector<nghttp2_nv> fields;
  take_lines(lines, fields);
  if (nghttp2_submit_trailer(of(self).session_, id, fields.data(), fields.size()) == 0) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(got.bytes);
}

nghttp2_session_callbacks* h2_endpoint::callbacks::make() {
  nghttp2_session_callbacks* calls = nullptr;
  RW_ASSERT(nghttp2_session_callbacks_new(&calls) == 0);
  nghttp2_session_callbacks_set_on_begin_frame_callback(calls, &on_header);
  nghttp2_session_callbacks_set_unpack_extension_callback(calls, &on_unknown);
  nghttp2_session_callbacks_set_on_begin_headers_callback(calls, &on_begin);
  nghttp2_session_callbacks_set_on_header_callback2(calls, &on_field);
  nghttp2_session_callbacks_set_on_frame_recv_callback(calls, &on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, &on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(calls, &on_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(calls, &on_sent);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(calls, &on_not_sent);
  nghttp2_session_callbacks_set_data_source_read_length_callback(calls, &length);
  return calls;
}

h2_endpoint::h2_endpoint(side which, const h2_limits& limits)
    : side_(which), limits_(limits), frames_(which == side::server) {
  nghttp2_option* rules = nullptr;
  RW_ASSERT(nghttp2_option_new(&rules) == 0);
  nghttp2_session_callbacks* const calls = callbacks::make();
  // Fields are h2_section's to judge: nghttp2 leaves out some that are wrong and goes on.
  nghttp2_option_set_no_http_messaging(rules, 1);
  nghttp2_option_set_no_auto_window_update(rules, 1);
  nghttp2_option_set_no_closed_streams(rules, 1);
  nghttp2_option_set_max_send_header_block_length(rules, sent_section_max);
  nghttp2_option_set_max_continuations(rules, continuations_max);
  nghttp2_option_set_max_settings(rules, settings_max);
  // Frames of other types are passed over without a word to on_header().
  for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; ++type) {
    nghttp2_option_set_user_recv_extension_type(rules, static_cast<std::uint8_t>(type));
  }
  const auto make =
      which == side::server ? &nghttp2_session_server_new2 : &nghttp2_session_client_new2;
  RW_ASSERT(make(&session_, calls, this, rules) == 0);
  nghttp2_session_callbacks_del(calls);
  nghttp2_option_del(rules);
}

void h2_endpoint::submit_settings() {
  const std::array<nghttp2_settings_entry, 4> ours{{
      side_ == side::server
          ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams}
          : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, receive_window::first},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits_.head.head_bytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, no_priorities},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, ours.data(), ours.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
}

h2_endpoint::~h2_endpoint() { nghttp2_session_del(session_); }

bool h2_endpoint::receive(std::string_view bytes) {
  const phase_scope about(phase::http2);
  const auto* octets = reinterpret_cast<const std::uint8_t*>(bytes.data());
  frames_.pass(bytes);
  const ssize_t taken = nghttp2_session_mem_recv(session_, octets, bytes.size());
  count_stray_data();
  if (taken >= 0 && !out_of_patience()) return true;
  // NGHTTP2_ERR_FLOODED and its like are glitches of which one is enough.
  if (taken != NGHTTP2_ERR_BAD_CLIENT_MAGIC) end(h2_error::enhance_your_calm);
  return false;
}

void h2_endpoint::pardon(std::uint32_t glitches) noexcept {
  glitches_ -= std::min(glitches, glitches_);
}

void h2_endpoint::expect_updates() noexcept {
  updates_ = std::min(updates_ + updates_per_frame, updates_max);
}

// What an origin has failed in is not its client's doing, nor that a client has given up its
// origin's.
void h2_endpoint::count_reset(std::uint32_t error) noexcept {
  if (side_ == side::client && error == NGHTTP2_CANCEL) return;
  if (error != NGHTTP2_NO_ERROR && error != NGHTTP2_INTERNAL_ERROR) ++glitches_;
}

// Of its own streams a client may give up as many as it has begun, so each of them costs. An origin
// answers for none but ours, each of which it can refuse once.
void h2_endpoint::count_reset_of_peer(std::int32_t id) noexcept {
  if (side_ == side::server || is_over(id)) ++glitches_;
}

// Not one that GOAWAY has said will not be served: what comes for it was on its way. One that we
// have reset is over, though nobody may have been told yet.
bool h2_endpoint::is_over(std::int32_t id) const noexcept {
  const bool was_begun =
      side_ == side::server
          ? id <= nghttp2_session_get_last_proc_stream_id(session_)
          : static_cast<std::uint32_t>(id) < nghttp2_session_get_next_stream_id(session_);
  return was_begun && (nghttp2_session_get_stream_remote_close(session_, id) < 0 ||
                       stream_of(session_, id) == nullptr);
}

// RFC 9113 5.1: what comes for a stream that we have reset is ignored; what comes for another one
// that is over is an error, of which one is no reason to end all streams. The library says nothing
// of either: they are the frames that came and it did not begin to read.
void h2_endpoint::count_stray_data() noexcept {
  const h2_frames::tally& came = frames_.data();
  count_strays(came.frames - data_.frames, came.octets - data_.octets);
  data_ = came;
}

void h2_endpoint::count_strays(std::uint64_t frames, std::uint64_t octets) noexcept {
  if (octets > strays_) glitches_ += static_cast<std::uint32_t>(frames);
  strays_ -= std::min(octets, strays_);
}

void h2_endpoint::write(std::string& out, std::size_t enough) {
  const phase_scope about(phase::http2);
  while (out.size() < enough) {
    room_ = enough - out.size();
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) return;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
}

bool h2_endpoint::finished() const noexcept {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void h2_endpoint::resume(std::int32_t id) { nghttp2_session_resume_data(session_, id); }

void h2_endpoint::consumed(std::int32_t id, std::size_t bytes) {
  nghttp2_session_consume_stream(session_, id, bytes);
}

void h2_endpoint::widen(std::int32_t id, std::uint32_t window) {
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, id,
                                        static_cast<std::int32_t>(window));
}

void h2_endpoint::reset(std::int32_t id, h2_error why) {
  forget(session_, id);
  if (nghttp2_session_get_stream_remote_close(session_, id) == 0) {
    // So much of its body may be on its way by now, and a header section.
    const std::int32_t window = nghttp2_session_get_stream_local_window_size(session_, id);
    strays_ += static_cast<std::size_t>(std::max(window, 0)) + limits_.head.head_bytes;
    strays_ = std::min<std::size_t>(strays_, connection_window);
  }
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(why));
}

void h2_endpoint::release(std::int32_t id) { forget(session_, id); }

bool h2_endpoint::is_held_up(std::int32_t id) const noexcept {
  return nghttp2_session_get_remote_window_size(session_) <= 0 ||
         nghttp2_session_get_stream_remote_window_size(session_, id) <= 0;
}

void h2_endpoint::end(h2_error why) {
  nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(why));
}

}  // namespace rw::http
