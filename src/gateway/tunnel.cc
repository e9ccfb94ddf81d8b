#include "base/text.h"
#include "gateway/body.h"
#include "gateway/connection.h"
#include "gateway/forward.h"
#include "gateway/head_space.h"
#include "gateway/respond.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// One of the two ways.
struct way {
  net::stream& from;
  net::stream& to;
  nanoseconds send_gap;
  std::uint64_t& moved;
};

verdict refusal_of(const exchange& x, const error& why, bool sending) noexcept {
  if (x.ended_by != nullptr) return {401, x.ended_by};
  const bool idle = !sending && why.code == fault::timed_out && !x.out_of_time;
  if (idle) return {101, "tunnel_idle", observe::deadline::gap};
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
io::task<> pump(exchange& x, way one, mono_time& moved_at) {
  const io::loop& loop = x.on->loop();
  const nanoseconds gap = x.to->settings->gap_timeout;
  for (;;) {
    if (one.from.input().empty()) {
      const result<> more = co_await one.from.receive(moved_at + gap);
      if (!more) {
        const error& why = more.error();
        const bool late = why.code == fault::timed_out && !one.from.failed();
        if (late && moved_at + gap > loop.now()) continue;  // the other way was not still
        if (why.code == fault::closed && !one.from.truncated()) break;
        co_return break_off(x, refusal_of(x, why, false));
      }
    }
    const std::string_view data = one.from.input();
    const result<> sent = co_await one.to.send(data, one.send_gap);
    if (!sent) co_return break_off(x, refusal_of(x, sent.error(), true));
    one.moved += data.size();
    moved_at = loop.now();
    one.from.consume(data.size());
  }
  const result<> told = co_await one.to.end_writing();
  if (!told) break_off(x, refusal_of(x, told.error(), true));
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
  if (!sent) co_return break_off(x, refusal_of(x, sent.error(), true));

  mono_time moved_at = x.on->loop().now();
  io::spawn(pump(x, {*x.downstream, server, x.to->settings->gap_timeout, x.bytes_in}, moved_at),
            x.uploading);
  co_await pump(x, {server, *x.downstream, write_gap, x.bytes_out}, moved_at);
  co_await x.uploading.empty();
}

}  // namespace rw::gateway
