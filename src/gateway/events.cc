#include "gateway/events.h"

#include <algorithm>

#include "gateway/connection.h"
#include "gateway/respond.h"
#include "gateway/worker.h"
#include "http/chunked.h"

namespace rw::gateway {

events::events(exchange& x, body_coding coding) noexcept
    : x_(x), chunked_(coding == body_coding::chunked), every_(x.route->settings->heartbeat) {
  x.speaks_events = coding != body_coding::none && http::is_event_stream(x.response);
}

io::task<result<>> events::say(std::string_view text, bool last) {
  const nanoseconds gap = x_.state->listeners[x_.client->listener].settings->timeouts.write_gap;
  http::chunk_head size;
  std::string tail;
  if (chunked_) {
    size = http::make_chunk_head(text.size());
    tail = http::chunk_end;
    if (last) tail.append(http::last_chunk).append(http::chunk_end);
  }
  if (last) x_.downstream->end_with_next_send();
  const std::string_view front = chunked_ ? size.view() : std::string_view{};
  const result<> sent = co_await x_.downstream->send({front, text, tail}, gap);
  if (sent) x_.bytes_out += front.size() + text.size() + tail.size();
  co_return sent;
}

io::task<result<>> events::receive(mono_time deadline) {
  net::stream& from = x_.upstream->stream;
  const io::loop& loop = x_.on->loop();
  for (;;) {
    const mono_time due = std::min(deadline, loop.now() + every_);
    const result<> more = co_await from.receive(due);
    const bool silent = !more && more.error().code == fault::timed_out && !from.failed();
    if (!silent || loop.now() >= deadline) co_return more;
    if (!bounds_.between()) continue;
    const result<> sent = co_await say(http::heartbeat_comment, false);
    if (!sent) co_return sent;
  }
}

io::task<bool> events::end_with_error() {
  if (!x_.speaks_events || x_.ended_by == nullptr) co_return false;
  if (!bounds_.between() || x_.downstream->failed()) co_return false;
  std::string problem_text;
  std::string text = "event: error\ndata: ";
  text.append(problem(401, problem_text).body).append("\n\n");
  x_.keep_alive = false;
  const result<> sent = co_await say(text, true);
  if (!sent) co_return false;
  x_.decision = {401, x_.ended_by};
  x_.reason = x_.ended_by;
  x_.upstream_reusable = false;
  co_return true;
}

}  // namespace rw::gateway
