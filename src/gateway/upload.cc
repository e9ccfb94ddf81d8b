#include "gateway/body.h"
#include "gateway/connection.h"
#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway/grpc_call.h"
#include "gateway/h2_stream.h"
#include "gateway/respond.h"
#include "gateway/splice.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

void fail(exchange& x, const error& why, observe::deadline missed = {}) noexcept {
  // A client that has its answer may have stopped sending because of it.
  if (x.answer_begun && why.code == fault::timed_out) {
    x.keep_alive = false;
    return;
  }
  blame_client(x, why, missed);
}

observe::deadline missed_by(const rate_floor& floor) noexcept {
  return floor.broken() ? observe::deadline::least_rate : observe::deadline::body_gap;
}

// An origin that has answered takes no more: what it said is for read_answer() to find. That has no
// deadline while a body goes up, so it gets one here.
void stop_sending(exchange& x, const error& why) noexcept {
  x.keep_alive = false;
  if (x.answer_begun) return;
  net::stream& to = x.upstream->stream;
  if (why.code == fault::timed_out) {
    x.upload_stuck = true;
    return to.abort(fault::timed_out);
  }
  to.receive_by(x.on->loop().now() + x.to->settings->first_byte_timeout);
  x.downstream->abort_on_hangup(&to);
}

// The next stretch of a request body, in the stream's input.
struct stretch {
  std::string_view data;
  std::size_t consumed = 0;
  bool last = false;
};

result<stretch> next_stretch(exchange& x) {
  const std::span<char> input = x.downstream->writable_input();
  stretch s;
  if (x.request.body == http::framing::length) {
    const std::uint64_t left = x.request.content_length - x.bytes_in;
    s.data = {input.data(), static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size()))};
    s.consumed = s.data.size();
    s.last = s.consumed == left;
  } else if (x.downstream->is_carried()) {
    s.data = {input.data(), input.size()};
    s.consumed = s.data.size();
    s.last = x.downstream->complete();
  } else {
    const decoded got = decode_in_place(x.body_decoder, input);
    s.data = got.data;
    s.consumed = got.consumed;
    if (x.body_decoder.state() == http::chunked_decoder::status::refused) {
      return failure({fault::malformed, origin::downstream, false, 0, x.body_decoder.reason()});
    }
    s.last = x.body_decoder.state() == http::chunked_decoder::status::done;
  }
  x.bytes_in += s.data.size();
  return s;
}

std::string_view trailers_of(const exchange& x) noexcept {
  if (!x.downstream->is_carried()) return x.body_decoder.trailers();
  return static_cast<const h2_stream*>(x.downstream)->request_trailers();
}

// What may have to be sent again, to an origin that did not begin on it.
void remember(exchange& x, std::string_view data) {
  if (data.empty() || x.replay_lost || !x.upstream->stream.is_carried()) return;
  if (data.size() > io::buffer::capacity() - x.replay_size) {
    x.replay_lost = true;
    x.replay_size = 0;
    return x.replay.reset();
  }
  if (!x.replay) x.replay = x.on->loop().buffers().take();
  std::memcpy(x.replay.text() + x.replay_size, data.data(), data.size());
  x.replay_size += static_cast<std::uint32_t>(data.size());
}

io::task<result<>> send_stretch(exchange& x, const stretch& s) {
  net::stream& to = x.upstream->stream;
  const nanoseconds gap = x.to->settings->gap_timeout;
  if (to.is_carried()) {
    std::string lines;
    if (s.last) append_request_trailers(x, lines);
    if (s.last) to.end_with_next_send();
    const result<> sent = co_await to.send({s.data, {}, lines}, gap);
    co_return sent;
  }
  if (x.request.body == http::framing::length) {
    const result<> sent = co_await to.send(s.data, gap);
    co_return sent;
  }
  const http::chunk_head head = http::make_chunk_head(s.data.size());
  std::string tail;
  if (!s.data.empty()) tail = http::chunk_end;
  if (s.last) {
    tail.append(http::last_chunk);
    append_request_trailers(x, tail);
    tail.append(http::chunk_end);
  }
  const std::string_view size = s.data.empty() ? std::string_view{} : head.view();
  const result<> sent = co_await to.send({size, s.data, tail}, gap);
  co_return sent;
}

}  // namespace

void append_request_trailers(const exchange& x, std::string& lines) {
  std::string_view left = trailers_of(x);
  for (http::field one; http::next_trailer(left, one);) {
    if (x.route->request.removed.contains(one)) continue;
    lines.append(one.name).append(": ").append(one.value).append("\r\n");
  }
}

void blame_client(exchange& x, const error& why, observe::deadline missed) noexcept {
  x.upload_failed = true;
  x.upload_error = why;
  x.upload_deadline = missed;
  x.keep_alive = false;
  if (x.upstream) x.upstream->stream.abort(fault::canceled);
}

io::task<result<>> invite_body(exchange& x) {
  if (x.uploaded) co_return {};  // it was
  if (!x.request.expect_continue || !x.downstream->input().empty()) co_return {};
  const nanoseconds gap = x.state->listeners[x.client->listener].settings->timeouts.write_gap;
  const result<> told = co_await x.downstream->send(go_on, gap);
  x.bytes_out += go_on.size();
  if (!told) blame_client(x, told.error(), observe::deadline::write_gap);
  co_return told;
}

io::task<> upload(exchange& x) {
  net::stream& from = *x.downstream;
  const config::listener_timeouts& rules =
      x.state->listeners[x.client->listener].settings->timeouts;
  expect_body(from, x.request.body, x.request.content_length);
  rate_floor floor(x.request.body == http::framing::length ? rules.least_rate_bytes : 0);
  bulk_receive bulk(from, x.on->bulk_receives());
  bool may_splice = x.request.body == http::framing::length && !from.is_carried();
  x.upstream->stream.let_reader_pause(true);
  for (bool last = false; !last;) {
    nanoseconds waited{0};
    if (from.input().empty()) {
      const mono_time began = x.on->loop().now();
      bulk.begin_for(x.request.body == http::framing::length ? x.request.content_length
                                                             : x.bytes_in);
      // Messages of a call come when there is something to say; once it is answered, what is
      // waited for is the other side's to bound.
      const nanoseconds gap = is_call(x) ? x.to->settings->gap_timeout : rules.body_gap;
      const result<> more = co_await from.receive(x.on->loop().now() + gap);
      if (x.upload_stopped) co_return;
      const bool late = !more && more.error().code == fault::timed_out && !from.failed();
      if (late && x.answer_begun && is_call(x)) continue;
      if (!more) {
        fail(x, more.error(), observe::deadline::body_gap);
        co_return;
      }
      waited = x.on->loop().now() - began;
    }
    const result<stretch> s = next_stretch(x);
    if (!s) {
      fail(x, s.error());
      co_return;
    }
    if (x.bytes_in > x.route->settings->max_body_bytes) {
      fail(x, {fault::too_large, origin::downstream, false, 0, "body_too_large"});
      co_return;
    }
    if (x.request.body == http::framing::chunked && !charge_body(x, s->data.size())) {
      fail(x, {fault::exhausted, origin::downstream, false, 0, "over a limit by bytes"});
      co_return;
    }
    if (!floor.keeps_up(s->data.size(), waited)) {
      fail(x, {fault::timed_out, origin::downstream, false, 0, "below the least rate"},
           observe::deadline::least_rate);
      co_return;
    }
    if (!s->data.empty() || s->last) {
      remember(x, s->data);
      const result<> sent = co_await send_stretch(x, *s);
      if (!sent) {
        if (x.upstream->stream.is_carried()) {
          from.consume(s->consumed);
          x.body_read = s->last;
        }
        stop_sending(x, sent.error());
        co_return;
      }
    }
    from.consume(s->consumed);
    last = s->last;
    if (!last && std::exchange(may_splice, false)) {
      const result<> spliced = co_await splice_body(
          {from, x.upstream->stream, rules.body_gap, x.to->settings->gap_timeout}, floor,
          x.request.content_length - x.bytes_in, x.bytes_in);
      if (x.upload_stopped) co_return;
      if (!spliced) {
        const error& why = spliced.error();
        why.from == origin::downstream ? fail(x, why, missed_by(floor)) : stop_sending(x, why);
        co_return;
      }
      last = x.bytes_in == x.request.content_length;
    }
  }
  x.body_read = true;
  x.upstream->stream.let_reader_pause(false);
  x.upstream->stream.receive_by(x.on->loop().now() + x.to->settings->first_byte_timeout);
  from.abort_on_hangup(&x.upstream->stream);
}

io::task<> check_chunks(exchange& x) {
  // Who waits for an invitation is told what there is to say instead.
  if (x.request.body != http::framing::chunked || x.request.expect_continue) co_return;
  const config::listener_timeouts& rules =
      x.state->listeners[x.client->listener].settings->timeouts;
  const auto refuse = [&x](verdict why) {
    x.keep_alive = false;
    x.decision = why;
  };
  while (!x.body_read && x.bytes_in <= discarded_bytes_max) {
    if (x.downstream->input().empty()) {
      const result<> more = co_await x.downstream->receive(x.on->loop().now() + rules.body_gap);
      if (!more) {
        x.upload_error = more.error();
        x.upload_deadline = observe::deadline::body_gap;
        refuse(refusal_of_body(x));
        co_return;
      }
    }
    const result<stretch> s = next_stretch(x);
    if (!s) {
      x.upload_error = s.error();
      refuse(refusal_of_body(x));
      co_return;
    }
    if (x.bytes_in > x.route->settings->max_body_bytes) {
      refuse({413, "body_too_large"});
      co_return;
    }
    if (!charge_body(x, s->data.size())) {
      refuse({429, "rate_limited"});
      co_return;
    }
    x.downstream->consume(s->consumed);
    x.body_read = s->last;
  }
}

io::task<> discard_body(exchange& x) {
  const mono_time by = x.on->loop().now() + discard_time_max;
  x.bytes_in = 0;
  while (!x.body_read) {
    if (x.bytes_in > discarded_bytes_max) {
      x.keep_alive = false;
      co_return;
    }
    if (x.downstream->input().empty()) {
      const result<> more = co_await x.downstream->receive(by);
      if (!more) {
        x.keep_alive = false;
        co_return;
      }
    }
    const result<stretch> s = next_stretch(x);
    if (!s) {
      x.keep_alive = false;
      co_return;
    }
    x.downstream->consume(s->consumed);
    x.body_read = s->last;
  }
}

}  // namespace rw::gateway
