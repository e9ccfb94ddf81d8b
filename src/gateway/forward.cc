#include "gateway/forward.h"

#include <algorithm>

#include "base/phase.h"
#include "gateway/body.h"
#include "gateway/client_address.h"
#include "gateway/connection.h"
#include "gateway/epoch.h"
#include "gateway/grpc_call.h"
#include "gateway/head_space.h"
#include "gateway/judge.h"
#include "gateway/record.h"
#include "gateway/respond.h"
#include "gateway/worker.h"
#include "upstream/h2_link.h"
#include "upstream/h2_stream.h"

namespace rw::gateway {
namespace {

constexpr unsigned interim_heads_max = 16;

upstream_use& use_of(const exchange& x) noexcept { return *x.under->upstreams[x.to->index]; }

// What an origin's heads may measure: our own limits' defaults, whatever clients are held to.
constexpr http::head_limits origin_limits{64U << 10U, http::fields_max, 8U << 10U};

// One of max_requests_in_flight, for as long as it lives.
class place {
 public:
  explicit place(upstream::waiting_line& line) noexcept
      : line_(line), taken_(line.take_at_once()) {}
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() {
    if (taken_) line_.give_back();
  }
  bool taken() const noexcept { return taken_; }
  void got_it() noexcept { taken_ = true; }

 private:
  upstream::waiting_line& line_;
  bool taken_;
};

// Ends the exchange's upstream side when upstream.timeouts.total has passed, or the time that the
// caller of a gRPC method gives it.
struct total_timer : io::timer {
  explicit total_timer(exchange& of) noexcept : timer(&on_expiry), x(of) {
    const nanoseconds total = x.to->settings->total_timeout;
    const mono_time now = x.on->loop().now();
    mono_time at = total.count() > 0 ? now + total : mono_time::max();
    if (const auto patience = end_of_patience(x); patience && *patience < at) {
      at = *patience;
      is_callers = true;
    }
    if (at != mono_time::max()) x.on->loop().timers().arm(*this, std::max(at, now));
  }
  static void on_expiry(io::timer& t) {
    auto& self = static_cast<total_timer&>(t);
    self.x.out_of_time = true;
    self.x.callers_time = self.is_callers;
    if (self.x.upstream) self.x.upstream->stream.abort(fault::timed_out);
  }
  exchange& x;
  bool is_callers = false;
};

// Ends what is under way when its caller's token expires, where the route says so. One that was
// taken after exp, within the leeway, has that time. The wall clock may be set meanwhile, so it is
// asked again now and then.
struct expiry_timer : io::timer {
  static constexpr nanoseconds look_every = std::chrono::seconds{10};

  explicit expiry_timer(exchange& of) noexcept : timer(&on_expiry), x(of), until(x.caller.expires) {
    if (!x.route->settings->end_at_expiry || until == auth::numeric_date::max()) return;
    if (x.began_at >= until) until += x.state->auth.issuers[x.caller.issuer].rules.leeway;
    arm();
  }
  void arm() noexcept {
    const nanoseconds left = std::max<nanoseconds>(until - x.on->loop().wall_now(), {});
    x.on->loop().timers().arm(*this, x.on->loop().now() + std::min(left, look_every));
  }
  static void on_expiry(io::timer& t) {
    auto& self = static_cast<expiry_timer&>(t);
    if (self.x.on->loop().wall_now() < self.until) return self.arm();
    end_caller(self.x, "token_expired");
  }
  exchange& x;
  auth::numeric_date until;
};

// A stream of a connection that speaks HTTP/2. Of one that had no room after all another one is
// tried.
io::task<result<>> join(exchange& x, upstream::server_pool& pool) {
  constexpr unsigned tries_max = 4;
  result<> opened;
  for (unsigned tries = 0; tries < tries_max; ++tries) {
    x.downstream->abort_on_hangup(nullptr);
    x.upstream = pool.join(x.to->servers[x.server], x.request.has_body());
    const bool is_first = x.upstream->requests == 1;
    x.on->counters().add(is_first ? observe::counter::upstream_opened
                                  : observe::counter::upstream_reused);
    if (x.body_read) x.downstream->abort_on_hangup(&x.upstream->stream);
    opened = co_await x.upstream->carried()->opened();
    if (is_first && x.upstream->codec() != nullptr) record_upstream_handshake(x, opened);
    if (opened || opened.error().code != fault::exhausted || x.out_of_time) break;
  }
  if (opened) x.connected = x.on->loop().now();
  co_return opened;
}

// An idle connection to the server that was chosen, or a new one.
io::task<result<>> connect(exchange& x) {
  upstream::server_pool& pool = *use_of(x).pools[x.server];
  const upstream::server& server = x.to->servers[x.server];
  if (pool.speaks_h2()) {
    const result<> joined = co_await join(x, pool);
    co_return joined;
  }
  net::proxy_header who;
  if (x.to->settings->send_proxy != config::proxy_protocol::off) who = announcement_of(x);
  x.upstream = pool.take_idle(who);
  if (!x.upstream) {
    x.upstream = std::make_unique<upstream::connection>(x.on->loop(), pool);
    x.upstream->announced = who;
    x.on->counters().add(observe::counter::upstream_opened);
    if (x.body_read) x.downstream->abort_on_hangup(&x.upstream->stream);
    const mono_time by = x.on->loop().now() + x.to->settings->connect_timeout;
    const result<> opened = co_await upstream::open(*x.upstream, server, by);
    if (x.upstream->stream.tls() != nullptr) record_upstream_handshake(x, opened);
    if (!opened) co_return opened;
  } else {
    x.on->counters().add(observe::counter::upstream_reused);
    if (x.body_read) x.downstream->abort_on_hangup(&x.upstream->stream);
  }
  ++x.upstream->requests;
  x.connected = x.on->loop().now();
  co_return {};
}

io::task<result<>> send_request(exchange& x) {
  head_space space(x.on->loop().buffers());
  http::head_writer head(space.room());
  while (!write_request_head(x, x.to->servers[x.server], head)) {
    if (!space.grow()) {
      co_return failure({fault::too_large, origin::local, false, 0, "the head outgrew its buffer"});
    }
    head = http::head_writer(space.room());
  }
  if (x.upstream->stream.is_carried() && head.size() > http::h2_client::head_max) {
    co_return failure(
        {fault::too_large, origin::local, false, 0, "the head is too large to share"});
  }
  // What an origin of HTTP/2 was sent in vain comes before what has yet to come.
  std::string_view body = x.first_body;
  std::string trailers;
  if (x.replay_size > 0) body = {x.replay.text(), x.replay_size};
  if (x.body_read && x.upstream->stream.is_carried()) {
    if (x.uploaded) append_request_trailers(x, trailers);
    x.upstream->stream.end_with_next_send();
  }
  const result<> sent =
      co_await x.upstream->stream.send({head.view(), body, trailers}, x.to->settings->gap_timeout);
  if (!sent) co_return sent;
  if (x.body_read) co_return {};
  // Before anything else may be sent to the client: an interim or a final answer would be one send
  // too many at a time.
  const result<> invited = co_await invite_body(x);
  x.uploaded = true;
  if (invited) io::spawn(upload(x), x.uploading);
  co_return invited;
}

http::outcome look_at_answer(exchange& x, std::size_t seen) {
  const phase_scope about(phase::http1);
  return http::parse_response(x.upstream->stream.input(), seen, origin_limits, x.request.verb,
                              x.response);
}

// Until the head of the final answer is in `response`; its bytes are still in the stream's input.
io::task<result<>> read_answer(exchange& x) {
  net::stream& from = x.upstream->stream;
  const nanoseconds patience = x.to->settings->first_byte_timeout;
  unsigned interim = 0;
  std::size_t seen = 0;
  for (;;) {
    if (from.input().size() > seen) {
      if (x.first_byte == mono_time{}) x.first_byte = x.on->loop().now();
      const http::outcome got = look_at_answer(x, seen);
      if (got.state == http::progress::refused) {
        co_return failure({fault::malformed, origin::upstream, false, 0, got.reason});
      }
      if (got.state == http::progress::complete) {
        if (x.response.status >= 200) co_return {};
        if (x.response.status == 101 && is_switch(x)) co_return {};
        if (x.response.status == 101 || ++interim > interim_heads_max) {
          co_return failure({fault::malformed, origin::upstream, false, 0, "unexpected_interim"});
        }
        if (x.response.status != 100) {
          const result<> told = co_await send_interim(x);
          if (!told) co_return told;
        }
        from.consume(x.response.size);
        seen = 0;
        continue;
      }
      seen = from.input().size();
    }
    // While the body is on its way up the origin owes nothing: upload() starts the clock at its
    // end.
    const bool sending = x.uploading.inside() > 0;
    const result<> more =
        co_await from.receive(sending ? mono_time::max() : x.on->loop().now() + patience);
    if (!more) co_return more;
  }
}

// Only what the origin cannot have acted on, or may act on twice.
bool may_retry(const exchange& x, const error& why, bool connected) noexcept {
  if (x.attempts >= x.to->settings->retry_attempts || x.first_byte != mono_time{}) return false;
  if (why.code == fault::canceled || why.from == origin::local) return false;
  if (x.downstream->ended() || x.upload_failed) return false;
  if (was_not_begun(x, why) && is_held(x)) return true;
  return !connected || is_repeatable(x);
}

// Lets the body's pump end, whatever it waits for.
io::task<> stop_upload(exchange& x) {
  if (x.uploading.inside() > 0) {
    x.upload_stopped = true;
    x.upstream->stream.abort(fault::canceled);
    x.downstream->interrupt_receive();
    co_await x.uploading.empty();
  }
}

// Where a whole connection has said nothing for as long as an exchange has waited, nobody else is
// to wait for it.
void suspect(exchange& x, upstream_stage at) noexcept {
  if (x.upstream->carried() == nullptr || at == upstream_stage::connect) return;
  upstream::h2_link& link = x.upstream->carried()->on();
  x.callers_time ? link.doubt() : link.suspect(x.on->loop().now() - x.connected);
}

io::task<> let_go(exchange& x) {
  x.downstream->abort_on_hangup(nullptr);
  if (!x.upstream) co_return;
  RW_ASSERT(!x.trial);
  x.upstream->pool.leave();
  if (x.upstream->carried() != nullptr) {
    x.upstream.reset();
    co_return;
  }
  if (x.upstream_reusable) {
    upstream::server_pool& pool = x.upstream->pool;
    pool.give_back(std::move(x.upstream), x.on->loop().now());
    co_return;
  }
  if (x.upstream->stream.tls() != nullptr && !x.upstream->stream.failed()) {
    x.on->pools().retire(std::move(x.upstream));
    co_return;
  }
  co_await x.upstream->stream.close();
  x.upstream.reset();
}

// False: it was answered, or nobody is there to be.
io::task<bool> wait_for_place(exchange& x, upstream::waiting_line& line) {
  using outcome = upstream::waiting_line::outcome;
  outcome how = outcome::full;
  if (x.to->settings->queue != 0) {
    if (x.body_read) x.downstream->rest();  // so that its end is noticed
    how = co_await line.wait(*x.downstream);
  }
  if (how == outcome::taken) co_return true;
  if (how == outcome::gone) {
    x.decision = {499, "client_closed"};
    give_up_client(x);
    co_return false;
  }
  x.decision = {503, how == outcome::full ? "too_many_in_flight" : "queue_timeout"};
  co_await respond(x);
  co_return false;
}

// False: it waits for the client to take what it is sent. A send that has just begun does not:
// there is room for it, since little lies unacknowledged.
bool takes_what_comes(net::stream& to) noexcept {
  constexpr std::size_t little = 4096;
  if (!to.is_sending()) return true;
  return !to.is_carried() && to.loop().kernel().unacknowledged(to.fd()) < little;
}

}  // namespace

void end_caller(exchange& x, const char* why) noexcept {
  if (x.ended_by != nullptr) return;
  x.ended_by = why;
  // Where nothing was answered yet a 401 can still be; else both sides end where they are.
  if (x.upstream) x.upstream->stream.abort(fault::canceled);
  // An event stream is told why, and so is a call; but nobody waits for that who does not take what
  // he is sent.
  const bool is_told = (x.speaks_events || is_call(x)) && takes_what_comes(*x.downstream);
  if ((x.answer_begun && !is_told) || !x.upstream) x.downstream->abort(fault::canceled);
}

io::task<> forward(exchange& x) {
  x.to = &x.state->upstreams[x.route->settings->upstream];
  upstream_use& use = use_of(x);
  if (x.body_read) expect_body(*x.downstream, http::framing::none, 0);
  x.upgrade = protocol_asked_for(x);
  place mine(use.line);
  if (!mine.taken()) {
    const bool got = co_await wait_for_place(x, use.line);
    if (!got) co_return;
    mine.got_it();
  }
  const total_timer total(x);
  const double budget = x.to->settings->retry_budget;
  use.retries.earn(budget);
  const upstream::server_pool* tried = nullptr;
  const expiry_timer expiry(x);
  while (x.ended_by == nullptr && choose_server(x, use, tried)) {
    ++x.attempts;
    upstream_stage stage = upstream_stage::connect;
    result<> done = co_await connect(x);
    if (done) {
      stage = upstream_stage::request;
      done = co_await send_request(x);
      // An origin may answer and close before it has taken all: its answer counts.
      if (done || done.error().code == fault::reset) {
        stage = upstream_stage::first_byte;
        const result<> answered = co_await read_answer(x);
        if (done || answered) done = answered;
        // In TLS 1.3 a server says only now what it thinks of our certificate.
        if (!done && done.error().code == fault::tls) record_upstream_handshake(x, done);
      }
    }
    if (done) {
      judge_head(x);
      x.decision = {};
      x.unreachable = false;
      if (x.response.status == 101) {
        co_await tunnel(x);
      } else {
        co_await download(x);
      }
      judge_body(x);
      if (x.uploading.inside() > 0) x.keep_alive = false;
      co_await stop_upload(x);
      // An origin that answered early is owed the rest of a body: the next request would be taken
      // for it.
      if (!x.body_read) x.upstream_reusable = false;
      co_await let_go(x);
      co_return;
    }
    const bool goes_on = x.keep_alive;
    co_await stop_upload(x);
    if (done.error().code == fault::timed_out) suspect(x, stage);
    bool again = !x.out_of_time && x.ended_by == nullptr &&
                 may_retry(x, done.error(), stage != upstream_stage::connect);
    if (again && !use.retries.spend(budget, x.on->loop().now())) {
      x.on->counters().add(observe::counter::retries_refused);
      again = false;
    }
    tried = &x.upstream->pool;
    x.decision = x.upload_failed ? refusal_of_body(x) : refusal_of_upstream(x, done.error(), stage);
    x.unreachable = stage == upstream_stage::connect && !x.upload_failed;
    judge_failure(x, done.error());
    co_await let_go(x);
    if (!again || x.out_of_time) break;  // it may have passed while that was closed
    x.upload_stopped = false;
    x.keep_alive = goes_on;
  }
  if (x.ended_by != nullptr) {
    x.decision = {401, x.ended_by};
  } else if (x.decision.status == 0) {
    x.decision = {503, "no_server_left"};
    x.unreachable = true;
  }
  if (x.decision.status != 499) {
    co_await respond(x);
  } else {
    give_up_client(x);
  }
}

}  // namespace rw::gateway
