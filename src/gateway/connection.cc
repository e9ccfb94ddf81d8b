#include "gateway/connection.h"

#include <algorithm>

#include "auth/base64url.h"
#include "base/phase.h"
#include "gateway/client_address.h"
#include "gateway/client_bounds.h"
#include "gateway/conduct.h"
#include "gateway/forward.h"
#include "gateway/h2_connection.h"
#include "gateway/record.h"
#include "gateway/worker.h"
#include "tls/holder_name.h"

namespace rw::gateway {
namespace {

// How long a peer that was told the end may go on sending before it is cut off.
constexpr std::chrono::seconds farewell{2};
// A client that has just come while we are about to go may have its request under way.
constexpr nanoseconds last_call = std::chrono::seconds{1};

// What parse_request() and the deadline have to say of the head as far as it has come.
enum class head_state : std::uint8_t { partial, complete, refused };

head_state look_at_head(exchange& x, std::size_t seen, const config::listener_limits& limits) {
  const phase_scope about(phase::http1);
  const http::head_limits bounds{limits.head_bytes, limits.header_count, limits.target_bytes};
  const http::outcome got = http::parse_request(x.downstream->input(), seen, bounds, x.request);
  if (got.state == http::progress::partial) return head_state::partial;
  if (got.state == http::progress::complete) return head_state::complete;
  x.decision = {got.status, got.reason};
  return head_state::refused;
}

// What a connection that ended before its head was complete gets, if anything.
verdict incomplete(const connection& c, const error& why) noexcept {
  if (c.gives_way) return {0, "gave_way"};
  if (why.code == fault::timed_out) return {408, "slow_head", observe::deadline::head};
  if (why.code == fault::too_large) return {431, "head_too_large"};
  return {0, "head_incomplete"};
}

}  // namespace

connection::connection(worker& w, int fd, std::uint32_t l)
    : on(w), downstream(w.loop(), fd, origin::downstream), listener(l), opened(w.loop().now()) {
  on.add(*this);
  const result<sockaddr_storage> address = on.loop().kernel().peer_address(fd);
  if (address) peer = net::to_endpoint(*address);
  anonymous = !address;
}

connection::~connection() {
  on.waiting(listener).remove(*this);
  if (bounded_by) bounded_by->leave({.who = place});
  on.remove(*this);
}

// Between requests it ends as at any other time. A handshake or half a head that has been waited
// for longer than anything else is cut.
void connection::give_way() noexcept {
  gives_way = true;
  idle ? downstream.receive_by(on.loop().now()) : downstream.abort(fault::canceled);
}

// Whether a client that has shown what this one has would be let in by what is in force now.
static bool is_welcome(const connection& c) noexcept {
  const listener_plan& now = c.on.state().listeners[c.listener];
  if (!now.tls) return true;
  const tls::server_options& rules = now.tls->options();
  if (!c.shown) return !rules.client_required;
  return rules.client_ca != nullptr &&
         (rules.client_ca == c.shown->by || rules.client_ca->includes(*c.shown->by));
}

void send_away_outdated(connection* first) noexcept {
  for (connection* c = first; c != nullptr; c = c->next) {
    c->outdated = !is_welcome(*c);
    if (c->outdated && c->idle) c->downstream.receive_by(c->on.loop().now());
  }
}

bool is_outdated(const connection& c) noexcept {
  return c.outdated || c.gives_way ||
         (c.shown && c.on.loop().wall_now() >= c.shown->certificate.until);
}

namespace {

std::unique_ptr<const shown_certificate> describe(const tls::peer_certificate& peer,
                                                  const tls::server_context& by) {
  static_assert(tls::holder_name_bytes_max == auth::identity_bytes_max);
  auto made = std::make_unique<shown_certificate>();
  made->certificate.who.assign(peer.name);  // or it stays empty
  auth::append_base64url(
      made->certificate.thumbprint,
      {reinterpret_cast<const char*>(peer.thumbprint.data()), peer.thumbprint.size()});
  made->certificate.until = peer.not_after;
  made->by = by.options().client_ca;
  return made;
}

// The TLS handshake. False: there is nobody to serve.
io::task<bool> secure(connection& c) {
  worker& w = c.on;
  const mono_time began = w.loop().now();
  const auto context = w.state().listeners[c.listener].tls;
  const mono_time by = began + w.state().listeners[c.listener].settings->timeouts.handshake;
  const result<> secured = co_await c.downstream.handshake(context, by, w.index());
  record_handshake(c, secured, began);
  if (!secured) co_return false;
  if (const auto peer = c.downstream.take_peer()) c.shown = describe(*peer, *context);
  c.outdated = !is_welcome(c);  // other rules may have come into force meanwhile
  co_return !c.outdated;
}

// All that comes before a client's first request, in a frame of its own, which is gone by then.
// False: there is nobody to serve.
io::task<bool> welcome(connection& c, bool surplus) {
  worker& w = c.on;
  if (c.anonymous) co_return false;
  if (speaks_for_others(c)) {
    // Whoever never says for whom has a place meanwhile, and gives way for it like all others.
    if (surplus && !w.make_room(c.listener)) {
      w.counters().add(observe::counter::connections_refused);
      co_return false;
    }
    surplus = false;
    w.waiting(c.listener).add(c, w.loop().now());
    const bool said = co_await read_proxy_header(c);
    if (!said) co_return false;
    w.waiting(c.listener).remove(c);
  }
  const char* const too_much = bound_client(c, w.state().listeners[c.listener]);
  if (too_much != nullptr) w.counters().refusals.add(too_much);
  if (too_much != nullptr || (surplus && !w.make_room(c.listener))) {
    w.counters().add(observe::counter::connections_refused);
    co_return false;
  }
  w.waiting(c.listener).add(c, w.loop().now());
  if (!w.state().listeners[c.listener].tls) co_return true;
  const bool secured = co_await secure(c);
  co_return secured;
}

}  // namespace

io::task<> serve(worker& w, int fd, std::uint32_t listener, bool surplus) {
  connection c(w, fd, listener);
  bool open = co_await welcome(c, surplus);
  if (open && speaks_h2(c)) {
    co_await serve_h2(c);
    open = false;
  }

  while (open) {
    if (c.downstream.input().empty()) {
      c.idle = true;
      const config::listener_timeouts& now = w.state().listeners[listener].settings->timeouts;
      nanoseconds patience = c.requests == 0 ? now.head : now.keepalive;
      if (w.draining()) patience = std::min(patience, last_call);
      const mono_time by = w.loop().now() + patience;
      const result<> some = co_await c.downstream.receive(by);
      c.idle = false;
      if (!some) break;
    }

    exchange& x = w.begin(c);  // from here on what is in force now stays for this request
    const config::listener& rules = *x.state->listeners[listener].settings;
    const mono_time by = x.began + rules.timeouts.head;
    std::size_t seen = 0;
    head_state head = look_at_head(x, seen, rules.limits);
    while (head == head_state::partial) {
      seen = c.downstream.input().size();
      const result<> more = co_await c.downstream.receive(by);
      if (!more) {
        look_at_head(x, seen, rules.limits);  // its bytes may have moved, and the log shows some
        x.decision = incomplete(c, more.error());
        head = head_state::refused;
        break;
      }
      head = look_at_head(x, seen, rules.limits);
    }
    if (head == head_state::refused && begins_h2(c)) {
      w.withdraw(x);
      co_await serve_h2(c);
      break;
    }
    w.waiting(listener).remove(c);
    co_await conduct(x, head == head_state::complete);
    record(x);  // the answer is out: how long its client goes on sending is another matter
    if (x.keep_alive && !x.body_read) co_await discard_body(x);
    // Who was told that the connection stays may have sent the next request: a drain that has begun
    // since then answers it.
    open = x.keep_alive && !c.downstream.worn_out() && !c.outdated && !c.gives_way;
    w.end(x);
    if (open) w.waiting(listener).add(c, w.loop().now());
  }

  if (c.requests > 0 || c.multiplexed || c.downstream.tls() != nullptr) {
    const nanoseconds patience = c.gives_way ? nanoseconds{0} : farewell;
    co_await c.downstream.finish(w.loop().now() + patience);
  }
  co_await c.downstream.close();
}

}  // namespace rw::gateway
