#include "gateway/h2_connection.h"

#include <algorithm>

#include "gateway/ban.h"
#include "gateway/conduct.h"
#include "gateway/record.h"
#include "gateway/respond.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// What leaves in one send: a full TLS record.
constexpr std::size_t send_bytes = 16U << 10U;
// Between "no more streams" and the last of them: what is on its way then is still served.
constexpr std::chrono::milliseconds announced{200};
constexpr std::string_view preface_line = "PRI * HTTP/2.0";

const config::listener& rules_of(const connection& c) noexcept {
  return *c.on.state().listeners[c.listener].settings;
}

bool serves(const connection& c, std::string_view protocol) noexcept {
  return std::ranges::find(rules_of(c).protocols, protocol) != rules_of(c).protocols.end();
}

http::h2_limits limits_of(const connection& c) noexcept {
  const config::listener_limits& limits = rules_of(c).limits;
  return {.head = {limits.head_bytes, limits.header_count, limits.target_bytes},
          .streams = limits.h2_streams,
          .glitches = limits.h2_glitches};
}

}  // namespace

bool speaks_h2(const connection& c) noexcept {
  if (c.downstream.tls() != nullptr && c.downstream.tls()->protocol() == "h2") return true;
  return !serves(c, "http/1.1");
}

std::uint32_t h2_streams_of_worker(const config::configuration& of, unsigned workers) noexcept {
  std::uint64_t clients = 0;
  for (const config::listener& one : of.listeners) clients += one.max_connections;
  const std::uint64_t share = (clients + workers - 1) / workers;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(share, h2_streams_per_worker_max));
}

bool begins_h2(const connection& c) noexcept {
  return c.requests == 1 && c.downstream.tls() == nullptr && serves(c, "h2") &&
         c.downstream.input().starts_with(preface_line);
}

io::task<> serve_h2(connection& c) {
  const auto served = std::make_unique<h2_connection>(c);
  c.multiplexed = true;
  co_await served->run();
}

// Until flush().
struct h2_connection::nothing_to_send {
  h2_connection& of;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> writer) const noexcept { of.writer_ = writer; }
  void await_resume() const noexcept {}
};

h2_connection::h2_connection(connection& client)
    : client_(client), worker_(client.on), session_(*this, limits_of(client)) {}

void h2_connection::flush() {
  if (writer_) worker_.loop().defer(std::exchange(writer_, {}));
}

http::window_pool& h2_connection::windows() noexcept { return worker_.h2_windows(); }

nanoseconds h2_connection::round_trip() noexcept {
  return worker_.loop().kernel().round_trip(client_.downstream.fd());
}

bool h2_connection::holds_up(const h2_stream& one) const noexcept {
  return writer_ && session_.is_held_up(one.id());
}

io::task<> h2_connection::write() {
  const nanoseconds gap = rules_of(client_).timeouts.write_gap;
  for (;;) {
    session_.write(out_, send_bytes);
    if (!out_.empty()) {
      const result<> sent = co_await client_.downstream.send(out_, gap);
      out_.clear();
      if (sent) continue;
      cut_by_ = sent.error().code == fault::timed_out ? fault::timed_out : fault::canceled;
      client_.downstream.abort(cut_by_);
      co_return;
    }
    if (over_) co_return;
    if (streams_.inside() == 0) std::string().swap(out_);
    co_await nothing_to_send{*this};
  }
}

// Nothing is under way.
void h2_connection::rest() {
  rests_since_ = worker_.loop().now();
  client_.idle = true;
  worker_.waiting(client_.listener).add(client_, rests_since_);
  client_.downstream.receive_by(patience());
}

// Until when its client may be silent; of a header section, until when all of it has to be here.
mono_time h2_connection::patience() const noexcept {
  const mono_time whole =
      section_ != 0 ? section_since_ + rules_of(client_).timeouts.head : mono_time::max();
  return std::min(whole, patience_between());
}

mono_time h2_connection::patience_between() const noexcept {
  if (last_call_ != mono_time{} && !told_) return last_call_;
  if (!client_.idle) return mono_time::max();
  if (told_ || session_.finished()) return rests_since_;
  const config::listener_timeouts& now = rules_of(client_).timeouts;
  return rests_since_ + (client_.requests == 0 ? now.head : now.keepalive);
}

// After each receive: one that ends in the same piece as the next one begins is another one.
void h2_connection::watch_section() noexcept {
  const std::uint64_t now = session_.open_section();
  if (now != section_ && now != 0) section_since_ = worker_.loop().now();
  section_ = now;
}

bool h2_connection::is_section_late() const noexcept {
  return section_ != 0 && worker_.loop().now() >= section_since_ + rules_of(client_).timeouts.head;
}

// The client is to begin no more streams.
void h2_connection::begin_end() {
  if (last_call_ != mono_time{}) return;
  last_call_ = worker_.loop().now() + announced;
  session_.announce_end();
  flush();
}

// One for every second; those that answer a request whole forget one as well.
void h2_connection::forget_glitches() {
  const auto passed = std::chrono::floor<std::chrono::seconds>(worker_.loop().now() - forgotten_);
  if (passed.count() == 0) return;
  session_.pardon(static_cast<std::uint32_t>(passed.count()));
  forgotten_ += passed;
}

// Whether that is the end of the connection.
bool h2_connection::receive_ended(const error& why) {
  if (client_.downstream.failed() || why.code == fault::closed) return true;
  if (why.code == fault::timed_out) {
    if (is_section_late()) {
      worker_.counters().client_deadlines.add(observe::deadline::head);
      session_.end(http::h2_error::enhance_your_calm);
      return true;
    }
    if (client_.idle) return true;
    if (last_call_ != mono_time{} && !std::exchange(told_, true)) session_.end_after_these();
    flush();
  }
  return false;
}

io::task<> h2_connection::run() {
  net::stream& from = client_.downstream;
  io::spawn(write(), writing_);
  rests_since_ = worker_.loop().now();
  forgotten_ = rests_since_;
  client_.idle = true;
  for (;;) {
    if (worker_.draining() || is_outdated(client_) || from.worn_out()) begin_end();
    if (from.input().empty()) {
      const result<> some = co_await from.receive(patience());
      if (!some && receive_ended(some.error())) break;
      if (!some) continue;
    }
    forget_glitches();
    const bool sound = session_.receive(from.input());
    from.consume(from.input().size());
    watch_section();
    serve_new();
    flush();
    if (session_.out_of_patience()) worker_.counters().refusals.add("h2_glitches");
    if (!sound || session_.finished()) break;
  }
  session_.end(http::h2_error::no_error);  // unless it has said why already
  client_.idle = false;
  over_ = true;
  for (exchange* x = client_.current; x != nullptr; x = x->next_of_client) {
    net::stream& stream = *x->downstream;
    stream.abort(stream.is_sending() ? cut_by_ : fault::canceled);
  }
  flush();
  co_await streams_.empty();
  co_await writing_.empty();
}

http::h2_stream_events* h2_connection::on_request(std::int32_t id, const http::h2_section& section,
                                                  bool ends) {
  // Those that end now count as well: whoever resets streams as fast as it begins them waits too.
  const std::size_t here = streams_.inside() + fresh_.size();
  const bool too_many =
      here >= std::size_t{2} * limits_of(client_).streams ||
      worker_.h2_streams() >= h2_streams_of_worker(worker_.state().settings, worker_.workers());
  if (too_many || told_ || is_outdated(client_)) {
    session_.reset(id, http::h2_error::refused_stream);
    return nullptr;
  }
  ++worker_.h2_streams();
  exchange& x = worker_.begin(client_);
  auto made = std::make_unique<h2_stream>(*this, x, id);
  x.downstream = made.get();
  const http::outcome head = made->take_head(section, ends);
  h2_stream* const events = made.get();
  fresh_.push_back({std::move(made), head});
  return events;
}

// Not from within the session: what a stream says first may be its answer.
void h2_connection::serve_new() {
  if (fresh_.empty()) return;
  client_.idle = false;
  worker_.waiting(client_.listener).remove(client_);
  for (fresh& one : fresh_) io::spawn(serve(std::move(one.stream), one.head), streams_);
  fresh_.clear();
  if (streams_.inside() == 0) rest();
}

io::task<> h2_connection::serve(std::unique_ptr<h2_stream> stream, http::outcome head) {
  exchange& x = stream->its();
  const bool complete = head.state == http::progress::complete;
  if (stream->flaw() != nullptr) {
    refuse_malformed(x, stream->flaw());
  } else if (stream->failed()) {
    x.decision = {499, "client_closed"};
    give_up_client(x);
  } else if (!complete && head.status == 0) {
    refuse_malformed(x, head.reason);
  } else {
    if (!complete) x.decision = {head.status, head.reason};
    if (complete) stream->settle_length();
    co_await conduct(x, complete);
  }
  if (stream->lacks_end()) {
    stream->end_with_next_send();
    co_await stream->send(std::string_view{}, rules_of(client_).timeouts.write_gap);
  }
  if (x.banned && !x.from_trusted_peer) begin_end();
  if (!stream->failed()) session_.pardon(1);
  record(x);
  stream.reset();
  worker_.end(x);
  --worker_.h2_streams();
  if (streams_.inside() == 1 && fresh_.empty() && !over_) rest();
}

}  // namespace rw::gateway
