#include "base/text.h"
#include "gateway/body.h"
#include "gateway/connection.h"
#include "gateway/forward.h"
#include "gateway/head_space.h"
#include "gateway/respond.h"
#include "gateway/splice.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// So much that came in whole buffers, one after another, is worth another means of moving it.
constexpr std::size_t long_run_bytes = 128U << 10U;

// Neither `from` nor the other way has moved anything for as long as both may be still.
bool is_idle(const passage& one, const error& why) noexcept {
  return why.code == fault::timed_out && why.from == one.from.side() && !one.from.failed();
}

verdict refusal_of(const exchange& x, const passage& one, const error& why) noexcept {
  if (x.ended_by != nullptr) return {401, x.ended_by};
  if (is_idle(one, why) && !x.out_of_time) return {101, "tunnel_idle", observe::deadline::gap};
  if (why.from == origin::upstream) return refusal_of_upstream(x, why, upstream_stage::body);
  return refusal_of_client(why, observe::deadline::write_gap);
}

// Whatever the other way waits for is over too.
void break_off(exchange& x, verdict why) noexcept {
  if (x.decision.status != 0) return;  // by the other way
  x.decision = why;
  x.upstream->stream.abort(fault::canceled);
  give_up_client(x);
}

// Moves octets one way until their sender has ended its side, which the receiver is then told: the
// other way goes on. `moved_at`: when any moved, either way, for the time that neither may be
// still.
io::task<> pump(exchange& x, passage one, std::uint64_t& moved, mono_time& moved_at) {
  const io::loop& loop = x.on->loop();
  std::size_t run = 0;  // octets that came in whole buffers
  for (;;) {
    result<> more;
    if (run >= long_run_bytes) {
      run = 0;
      more = co_await splice_while_long(one, moved_at, moved);
      one.from.receive_as(net::stream::receive_mode::pooled);
    } else if (one.from.input().empty()) {
      more = co_await one.from.receive(moved_at + one.receive_gap);
    }
    if (!more) {
      const error& why = more.error();
      // The other way was not still.
      if (is_idle(one, why) && moved_at + one.receive_gap > loop.now()) continue;
      const bool is_end = why.code == fault::closed && why.from == one.from.side();
      if (is_end && !one.from.truncated()) break;
      co_return break_off(x, refusal_of(x, one, why));
    }
    const std::string_view data = one.from.input();
    if (data.empty()) continue;
    const result<> sent = co_await one.to.send(data, one.send_gap);
    if (!sent) co_return break_off(x, refusal_of(x, one, sent.error()));
    run = data.size() < io::buffer::capacity() ? 0 : run + data.size();
    moved += data.size();
    moved_at = loop.now();
    one.from.consume(data.size());
  }
  const result<> told = co_await one.to.end_writing();
  if (!told) break_off(x, refusal_of(x, one, told.error()));
}

}  // namespace

std::string_view protocol_asked_for(const exchange& x) noexcept {
  const http::request_head& head = x.request;
  if (!head.has_upgrade || head.body != http::framing::none) return {};
  if (head.verb != http::method::get || head.count(http::field_id::upgrade) != 1) return {};
  for (const std::string& one : x.route->settings->upgrade) {
    if (iequals(head.value(http::field_id::upgrade), one)) return one;
  }
  return {};
}

bool is_switch(const exchange& x) noexcept {
  return !x.upgrade.empty() && x.response.has_upgrade &&
         x.response.count(http::field_id::upgrade) == 1 &&
         iequals(x.response.value(http::field_id::upgrade), x.upgrade);
}

io::task<> tunnel(exchange& x) {
  net::stream& server = x.upstream->stream;
  const nanoseconds write_gap = x.state->listeners[x.client->listener].settings->timeouts.write_gap;
  x.keep_alive = false;
  x.upstream_reusable = false;
  head_space space(x.on->loop().buffers());
  http::head_writer head(space.room());
  while (!write_switch_head(x, head)) {
    if (!space.grow()) {
      x.decision = {502, "upstream_head_too_large"};
      co_await respond(x);
      co_return;
    }
    head = http::head_writer(space.room());
  }
  server.consume(x.response.size);
  x.status = x.response.status;
  x.answer_begun = true;
  // The end of one side is not the end of the other any more.
  x.downstream->abort_on_hangup(nullptr);
  server.let_reader_pause(true);
  x.downstream->let_reader_pause(true);
  expect_body(server, http::framing::none, 0);
  expect_body(*x.downstream, http::framing::none, 0);
  const result<> sent = co_await x.downstream->send(head.view(), write_gap);
  x.bytes_out += head.size();
  space.release();
  const nanoseconds gap = x.to->settings->gap_timeout;
  const passage down{server, *x.downstream, gap, write_gap};
  if (!sent) co_return break_off(x, refusal_of(x, down, sent.error()));

  mono_time moved_at = x.on->loop().now();
  io::spawn(pump(x, {*x.downstream, server, gap, gap}, x.bytes_in, moved_at), x.uploading);
  co_await pump(x, down, x.bytes_out, moved_at);
  co_await x.uploading.empty();
}

}  // namespace rw::gateway
