#include "upstream/h2_stream.h"

#include <algorithm>
#include <utility>

#include "http/status.h"
#include "upstream/h2_link.h"

namespace rw::upstream {

using http::h2_error;

namespace {

constexpr unsigned interim_heads_max = 16;
constexpr error refused_by_origin{.code = fault::system,
                                  .from = origin::upstream,
                                  .may_retry = true,
                                  .text = "the server has refused the stream"};
constexpr error ended_by_goaway{.code = fault::closed,
                                .from = origin::upstream,
                                .may_retry = true,
                                .text = "the server ends the connection, and has not begun"};
constexpr error reset_by_origin{
    .code = fault::system, .from = origin::upstream, .text = "the server has reset the stream"};

}  // namespace

h2_stream::h2_stream(std::shared_ptr<h2_link> on)
    : carried_stream(on->loop(), origin::upstream), on_(std::move(on)), window_(on_->windows()) {
  on_->add(*this);
}

h2_stream::~h2_stream() {
  if (is_open()) on_->reset(id_, h2_error::cancel);
  on_->remove(*this);
}

io::task<result<>> h2_stream::opened() {
  result<> woken;
  while (on_->is_opening() && !failed()) woken = co_await receive(mono_time::max());
  // Woken for a connection that is there, it may find that it is no more: receive() says why.
  if (failed()) woken = co_await receive(mono_time::max());
  if (failed()) co_return woken;
  if (on_->is_over()) co_return failure(on_->why());
  if (!on_->has_place_for(*this)) {
    co_return failure({.code = fault::exhausted,
                       .from = origin::upstream,
                       .text = "the connection has no stream left"});
  }
  co_return {};
}

// What it does not hold any more has gone to the client, or was dropped.
void h2_stream::on_receive() noexcept {
  const std::uint64_t left = std::min<std::uint64_t>(held(), body_bytes_);
  const std::uint64_t done = body_bytes_ - left - credited_;
  if (done == 0 || !is_open()) return;
  credited_ += done;
  if (!whole_) take_in(done);
  on_->session().consumed(id_, done);
  on_->flush();
  settle_window();
}

void h2_stream::take_in(std::uint64_t done) noexcept {
  if (!window_.drained(done, loop().now())) return;
  if (window_.grow(on_->round_trip())) on_->session().widen(id_, window_.size());
}

void h2_stream::settle_window() noexcept {
  if (whole_ && held() == 0) window_.give_back();
}

bool h2_stream::on_send(pieces& what, bool last) {
  const bool is_head = id_ == 0;
  const std::string_view head = is_head ? std::exchange(what[0], {}) : std::string_view{};
  const bool has_body = !what[0].empty() || !what[1].empty();
  if (last) {
    request_trailers_ = std::exchange(what[2], {});
    ended_ = true;
  }
  on_->flush();
  if (is_head) {
    const bool ends = last && !has_body && request_trailers_.empty();
    begin(head, ends);
    return ends || failed() || (!has_body && !last);
  }
  if (has_body || last) on_->session().resume(id_);
  return !has_body && !last;
}

void h2_stream::begin(std::string_view head, bool ends) {
  asks_for_head_ = head.starts_with("HEAD ");
  id_ = on_->begin(head, ends, *this);
  if (id_ == 0) end_with(ended_by_goaway);
}

bool h2_stream::is_stuck() noexcept { return on_->holds_up(id_); }

void h2_stream::on_abort(fault why) noexcept {
  if (!is_open()) return;
  closed_ = true;
  on_->reset(id_, why == fault::malformed ? h2_error::protocol_error : h2_error::cancel);
}

void h2_stream::lose(const error& why) noexcept {
  closed_ = true;
  if (whole_) return end_sending_with(why);
  end_with(id_ == 0 && on_->is_told_to_end() ? ended_by_goaway : why);
}

bool h2_stream::on_head(const http::h2_section& section, bool ends) {
  std::string text;
  unsigned status = 0;
  const http::outcome got = section.make_response(text, status);
  const char* flaw = got.state == http::progress::refused ? got.reason : nullptr;
  const bool interim = status < 200;
  // Each of them may be long, and no window holds them back.
  if (interim) interim_bytes_ += text.size();
  if (flaw == nullptr && interim &&
      (++interim_heads_ > interim_heads_max ||
       interim_bytes_ > h2_link::origin_limits.head_bytes)) {
    flaw = "too_many_heads";
  }
  if (flaw == nullptr && interim && ends) flaw = "interim_head_ends_stream";
  if (flaw == nullptr && !interim) {
    has_head_ = true;
    may_have_body_ = !asks_for_head_ && !http::is_bodiless(status);
    has_length_ = section.has_length() && may_have_body_;
    length_ = section.content_length();
    if (ends && has_length_ && length_ != 0) flaw = "content_length_differs";
  }
  if (flaw != nullptr) {
    closed_ = true;
    break_off(flaw);
    return false;
  }
  feed(text);
  if (ends) {
    whole_ = true;
    feed_end();
  }
  return true;
}

// Who has begun to answer has begun on the request, whatever it says: on_closed() has the rest.
void h2_stream::on_refused() noexcept {
  if (has_head_ || interim_heads_ != 0) return;
  closed_ = true;
  end_with(on_->is_told_to_end() ? ended_by_goaway : refused_by_origin);
}

void h2_stream::on_data(std::string_view bytes) {
  if (!has_head_) return break_off("body_before_head");
  body_bytes_ += bytes.size();
  if (!may_have_body_) return break_off("body_where_none_may_be");
  if (has_length_ && body_bytes_ > length_) return break_off("content_length_differs");
  feed(bytes);
}

void h2_stream::on_end(std::string trailers) {
  if (!has_head_) return break_off("end_before_head");
  if (has_length_ && body_bytes_ != length_) return break_off("content_length_differs");
  whole_ = true;
  answer_trailers_ = std::move(trailers);
  feed_end();
}

// RFC 9113 8.1: an answer that is whole counts, whatever becomes of the request.
void h2_stream::on_closed(bool in_order) {
  if (std::exchange(closed_, true)) return;
  if (in_order && whole_ && ended_) return;
  whole_ ? end_sending_with(reset_by_origin) : end_with(reset_by_origin);
}

h2_stream::pulled h2_stream::pull(std::span<char> room) {
  const std::size_t size = take(room);
  return {size, ended_ && !is_sending()};
}

}  // namespace rw::upstream
