#include "gateway/h2_stream.h"

#include <algorithm>
#include <utility>

#include "gateway/h2_connection.h"
#include "gateway/worker.h"

namespace rw::gateway {

using http::h2_error;

h2_stream::h2_stream(h2_connection& on, exchange& its, std::int32_t id) noexcept
    : carried_stream(its.on->loop(), origin::downstream),
      on_(on),
      its_(its),
      id_(id),
      window_(on.windows()) {}

// The session goes on to send what it has of it, if it is to be sent at all.
h2_stream::~h2_stream() {
  if (!open_) return;
  if (ended_ && !failed()) {
    on_.session().release(id_);
  } else {
    on_.session().reset(id_, h2_error::internal_error);
    on_.flush();
  }
}

http::outcome h2_stream::take_head(const http::h2_section& section, bool ends) {
  char* const home = extend(section.text_bytes());
  if (home == nullptr) return {http::progress::refused, 431, "head_too_large"};
  if (ends) feed_end();
  return section.make_request(home, ends, its_.request);
}

void h2_stream::settle_length() noexcept {
  http::request_head& head = its_.request;
  if (head.body != http::framing::chunked || !complete() || !request_trailers_.empty()) return;
  head.body = http::framing::length;
  head.content_length = body_bytes_;
}

// What it does not hold any more has gone to the origin, or was dropped.
void h2_stream::on_receive() noexcept {
  const std::uint64_t left = std::min<std::uint64_t>(held(), body_bytes_);
  const std::uint64_t done = body_bytes_ - left - credited_;
  if (done == 0 || !open_) return;
  credited_ += done;
  if (!whole_) take_in(done);
  on_.session().consumed(id_, done);
  on_.flush();
  settle_window();
}

void h2_stream::take_in(std::uint64_t done) noexcept {
  if (!window_.drained(done, its_.on->loop().now())) return;
  if (window_.grow(on_.round_trip())) on_.session().widen(id_, window_.size());
}

// Who waits long for an answer does not keep meanwhile what others could send by.
void h2_stream::settle_window() noexcept {
  if (whole_ && held() == 0) window_.give_back();
}

bool h2_stream::on_send(pieces& what, bool last) {
  settle_window();
  const bool is_head = !answered_;
  const bool has_body = !what[is_head ? 1 : 0].empty() || !what[1].empty();
  if (last) {
    answer_trailers_ = std::exchange(what[2], {});
    ended_ = true;
  }
  on_.flush();
  if (!is_head) {
    if (has_body || last) on_.session().resume(id_);
    return !has_body && !last;
  }
  const std::string_view head = std::exchange(what[0], {});
  answered_ = !http::is_interim(head);
  const bool ends = last && !has_body && answer_trailers_.empty();
  on_.session().answer(id_, head, ends);
  return ends || (!has_body && !last);
}

bool h2_stream::is_stuck() noexcept { return on_.holds_up(*this); }

void h2_stream::on_abort(fault why) noexcept {
  if (!std::exchange(open_, false)) return;
  on_.session().reset(id_, why == fault::malformed   ? h2_error::protocol_error
                           : why == fault::timed_out ? h2_error::cancel
                                                     : h2_error::internal_error);
  on_.flush();
}

void h2_stream::on_data(std::string_view bytes) {
  body_bytes_ += bytes.size();
  const http::request_head& head = its_.request;
  // RFC 9113 8.1.1: no more than was announced, and see on_end().
  if (head.body == http::framing::length && body_bytes_ > head.content_length) {
    return break_off("content_length_differs");
  }
  feed(bytes);
}

void h2_stream::on_end(std::string trailers) {
  const http::request_head& head = its_.request;
  if (head.body == http::framing::length && body_bytes_ != head.content_length) {
    return break_off("content_length_differs");
  }
  whole_ = true;
  request_trailers_ = std::move(trailers);
  feed_end();
}

void h2_stream::on_closed(bool in_order) {
  if (!std::exchange(open_, false)) return;
  if (!in_order || !ended_) abort(fault::canceled);  // its client has given up on it
}

h2_stream::pulled h2_stream::pull(std::span<char> room) {
  const std::size_t size = take(room);
  return {size, ended_ && !is_sending()};
}

}  // namespace rw::gateway
