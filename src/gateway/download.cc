#include "gateway/body.h"
#include "gateway/connection.h"
#include "gateway/events.h"
#include "gateway/forward.h"
#include "gateway/grpc_call.h"
#include "gateway/head_space.h"
#include "gateway/respond.h"
#include "gateway/splice.h"
#include "gateway/worker.h"
#include "upstream/h2_stream.h"

namespace rw::gateway {
namespace {

body_coding coding_for(const exchange& x) noexcept {
  switch (x.response.body) {
    case http::framing::none:
      return body_coding::none;
    case http::framing::length:
      return body_coding::length;
    case http::framing::chunked:
    case http::framing::until_close:
      break;
  }
  const bool knows_chunks = x.request.minor != 0 && !x.downstream->is_carried();
  return knows_chunks ? body_coding::chunked : body_coding::until_close;
}

// What of the answer's body lies in the upstream's input, ready to be sent on.
struct stretch {
  std::string_view data;
  std::size_t consumed = 0;
  bool last = false;
};

// `counts`: the client learns of the body's end by its length.
result<stretch> next_stretch(exchange& x, std::uint64_t passed, bool counts) {
  const std::span<char> input = x.upstream->stream.writable_input();
  stretch s;
  if (x.response.body == http::framing::chunked) {
    const decoded got = decode_in_place(x.decoder, input);
    if (x.decoder.state() == http::chunked_decoder::status::refused) {
      return failure({fault::malformed, origin::upstream, false, 0, x.decoder.reason()});
    }
    s.data = got.data;
    s.consumed = got.consumed;
    s.last = x.decoder.state() == http::chunked_decoder::status::done;
    return s;
  }
  s.data = {input.data(), input.size()};
  if (x.upstream->stream.is_carried()) {
    s.consumed = s.data.size();
    s.last = x.upstream->stream.complete();
    // Who counts octets knows the end without having to be told.
    s.last = s.last || (counts && passed + s.data.size() == x.response.content_length);
    return s;
  }
  if (x.response.body == http::framing::length) {
    const std::uint64_t left = x.response.content_length - passed;
    if (s.data.size() > left) s.data = s.data.substr(0, left);
    s.last = s.data.size() == left;
  }
  s.consumed = s.data.size();
  return s;
}

// RFC 9110 6.5.1: a recipient that has not asked for trailers may not know what to do with them.
void append_trailers(const exchange& x, std::string& out) {
  if (!x.request.accepts_trailers) return;
  const upstream::h2_stream* const carried = x.upstream->carried();
  std::string_view lines = carried != nullptr ? carried->answer_trailers() : x.decoder.trailers();
  for (http::field one; http::next_trailer(lines, one);) {
    if (!is_passed_on(x, one)) continue;
    out.append(one.name).append(": ").append(one.value).append("\r\n");
  }
}

// Chunks' clothes around one stretch, where the client gets chunks.
struct wrapping {
  http::chunk_head head;
  std::string tail;
};

void wrap(const exchange& x, const stretch& s, wrapping& out) {
  out.head.size = 0;
  out.tail.clear();
  if (!s.data.empty()) {
    out.head = http::make_chunk_head(s.data.size());
    out.tail = http::chunk_end;
  }
  if (!s.last) return;
  out.tail.append(http::last_chunk);
  append_trailers(x, out.tail);
  out.tail.append(http::chunk_end);
}

io::task<> fail(exchange& x, error why, bool head_sent) {
  const bool by_body = x.upload_failed && is_call(x);
  x.decision = by_body ? refusal_of_body(x) : refusal_of_upstream(x, why, upstream_stage::body);
  x.upstream_reusable = false;
  if (head_sent) {
    const bool told = co_await end_call(x);
    if (told) co_return;
  }
  give_up_client(x);
}

void fail_client(exchange& x, const error& why, const rate_floor& floor) {
  if (x.ended_by != nullptr) {
    x.decision = refusal_of_upstream(x, why, upstream_stage::body);
    x.upstream_reusable = false;
    return give_up_client(x);
  }
  x.decision = refusal_of_client(
      why, floor.broken() ? observe::deadline::least_rate : observe::deadline::write_gap);
  x.upstream_reusable = false;
  give_up_client(x);
}

}  // namespace

io::task<result<>> send_interim(exchange& x) {
  if (x.request.minor == 0) co_return {};
  io::buffer bytes = x.on->loop().buffers().take();
  http::head_writer head({bytes.text(), io::buffer::capacity()});
  head.status_line(x.response.status, x.response.reason);
  for (const http::field& one : x.response.fields) {
    if (is_passed_on(x, one)) head.field(one.name, one.value);
  }
  head.end();
  if (head.overflow()) co_return {};
  const nanoseconds gap = x.state->listeners[x.client->listener].settings->timeouts.write_gap;
  const result<> sent = co_await x.downstream->send(head.view(), gap);
  x.bytes_out += head.size();
  if (!sent) blame_client(x, sent.error(), observe::deadline::write_gap);
  co_return sent;
}

io::task<> download(exchange& x) {
  net::stream& from = x.upstream->stream;
  const config::listener_timeouts& rules =
      x.state->listeners[x.client->listener].settings->timeouts;
  const body_coding coding = coding_for(x);
  if (coding == body_coding::until_close || x.on->draining()) x.keep_alive = false;
  if (x.downstream->worn_out()) x.keep_alive = false;
  if (!x.body_read) x.keep_alive = false;  // answered before it was asked in full

  head_space space(x.on->loop().buffers());
  const auto room = [&space] {
    return space.room().first(space.room().size() - sizeof(http::chunk_head));
  };
  http::head_writer head(room());
  while (!write_response_head(x, coding, head)) {
    if (!space.grow()) {
      x.decision = {502, "upstream_head_too_large"};
      co_await respond(x);
      co_return;
    }
    head = http::head_writer(room());
  }
  from.consume(x.response.size);
  x.status = x.response.status;
  x.answer_begun = true;
  x.upstream_reusable = x.response.keep_alive && x.response.body != http::framing::until_close;

  expect_body(from, x.response.body, x.response.content_length);
  rate_floor floor(x.response.body == http::framing::length ? rules.least_rate_bytes : 0);
  bulk_receive bulk(from, x.on->bulk_receives());
  events sse(x, coding);
  std::string_view head_left = head.view();
  std::uint64_t passed = 0;
  bool flows = false;
  bool may_splice = coding == body_coding::length && !x.downstream->is_carried();
  wrapping clothes;
  bool done = coding == body_coding::none ||
              (coding == body_coding::length && x.response.content_length == 0);
  if (done && !head_left.empty()) {
    if (!x.keep_alive) x.downstream->end_with_next_send();
    const result<> sent = co_await x.downstream->send(head_left, rules.write_gap);
    x.bytes_out += head_left.size();
    if (!sent) fail_client(x, sent.error(), floor);
    co_return;
  }
  while (!done) {
    if (x.ended_by != nullptr && head_left.empty()) {  // while something was being sent
      const bool is_told = co_await sse.end_with_error();
      if (!is_told) {
        co_await fail(x, {fault::canceled, origin::local, false, 0, "its caller was ended"}, true);
      }
      co_return;
    }
    if (from.input().empty() && head_left.empty()) {
      // Of unknown length: when what comes comes in large pieces; events must not hold so much.
      const std::uint64_t known = flows ? passed : 0;
      bulk.begin_for(x.response.body == http::framing::length ? x.response.content_length : known);
      const mono_time by = x.on->loop().now() + x.to->settings->gap_timeout;
      result<> more;
      if (sse.has_heartbeat()) {
        more = co_await sse.receive(by);
      } else {
        more = co_await from.receive(by);
      }
      if (!more && more.error().from == origin::downstream) {
        fail_client(x, more.error(), floor);
        co_return;
      }
      // Over TLS only close_notify is an end: anybody can cut a connection (RFC 9112 9.8). What
      // HTTP/2 carries has an end of its own.
      const bool ended =
          !more && more.error().code == fault::closed && !from.truncated() && !from.is_carried();
      if (!more && !(ended && x.response.body == http::framing::until_close)) {
        const bool is_told = co_await sse.end_with_error();
        if (!is_told) co_await fail(x, more.error(), true);
        co_return;
      }
      done = ended;
    }
    result<stretch> s =
        next_stretch(x, passed, coding == body_coding::length && !x.downstream->is_carried());
    if (!s) {
      co_await fail(x, s.error(), head_left.empty());
      co_return;
    }
    s->last = s->last || done;
    clothes.head.size = 0;
    clothes.tail.clear();
    if (coding == body_coding::chunked) wrap(x, *s, clothes);
    if (s->last && x.downstream->is_carried()) append_trailers(x, clothes.tail);
    // The head leaves with what there is of the body, in one send and one record.
    if (!head_left.empty() && clothes.head.size > 0) {
      char* const text = space.room().data();
      std::memcpy(text + head.size(), clothes.head.text.data(), clothes.head.size);
      head_left = {text, head.size() + clothes.head.size};
      clothes.head.size = 0;
    }
    const std::string_view front = head_left.empty() ? clothes.head.view() : head_left;
    const mono_time began = x.on->loop().now();
    if (!front.empty() || !s->data.empty() || !clothes.tail.empty()) {
      if (s->last && !x.keep_alive) x.downstream->end_with_next_send();
      const result<> sent =
          co_await x.downstream->send({front, s->data, clothes.tail}, rules.write_gap);
      if (!sent) {
        fail_client(x, sent.error(), floor);
        co_return;
      }
    }
    const nanoseconds waited = x.on->loop().now() - began;
    x.bytes_out += front.size() + s->data.size() + clothes.tail.size();
    passed += s->data.size();
    sse.passed(s->data);
    flows = s->consumed >= io::buffer::capacity() / 2;
    // Streams may go on for hours.
    if (!std::exchange(head_left, {}).empty()) space.release();
    from.consume(s->consumed);
    done = s->last;
    if (!done && std::exchange(may_splice, false)) {
      const std::uint64_t before = passed;
      const result<> spliced =
          co_await splice_body({from, *x.downstream, x.to->settings->gap_timeout, rules.write_gap},
                               floor, x.response.content_length - passed, passed);
      x.bytes_out += passed - before;
      if (!spliced) {
        if (spliced.error().from != origin::upstream) {
          fail_client(x, spliced.error(), floor);
        } else {
          co_await fail(x, spliced.error(), true);
        }
        co_return;
      }
      done = passed == x.response.content_length;
    }
    if (!floor.keeps_up(s->data.size(), waited)) {
      fail_client(x, {fault::timed_out, origin::downstream, false, 0, "below the least rate"},
                  floor);
      co_return;
    }
  }
}

}  // namespace rw::gateway
