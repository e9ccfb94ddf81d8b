#include "gateway/worker.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/random.h"
#include "gateway/decide.h"
#include "gateway/forward.h"
#include "gateway/hash_pool.h"
#include "gateway/share.h"
#include "net/liveness.h"
#include "tls/library.h"

namespace rw::gateway {
namespace {
constexpr std::chrono::seconds housekeeping{1};
// Of those that nobody needs; and as many of the others go at most at each housekeeping.
constexpr std::size_t exchanges_kept = 64;
constexpr std::size_t exchanges_given_up = 256;
// After the process ran out of descriptors: time for some to come back.
constexpr std::chrono::milliseconds accept_pause{100};
// For what was accepted before the drain began and is on its way here from another worker.
constexpr std::chrono::milliseconds hand_over_time{20};
// What a client that seems idle may have under way when it is not to send more: its request, for
// one that has just come (connection.cc), or the next one.
constexpr std::chrono::seconds first_call{1};
constexpr std::chrono::milliseconds next_call{200};

observe::access_formatter formatter_for(const config::log& log) {
  using observe::access_format;  // in the order of config::log_format
  constexpr access_format known[] = {access_format::json, access_format::combined,
                                     access_format::pretty, access_format::coloured};
  return {known[static_cast<std::size_t>(log.access_format)], log.redact};
}

}  // namespace

handed_over::~handed_over() {
  if (fd_ < 0) return;
  to_.kernel().close(fd_);
  place_.give_back();
}

void handed_over::run(worker& on) {
  on.take_over(std::exchange(fd_, -1), listener_, place_.surplus);
}

// A match that another worker has waited for.
struct learned : command {
  learned(const auth::slow_answer& w, nanoseconds t) noexcept : what(w), right_for(t) {}
  void run(worker& on) override { on.authenticator().learn(what, on.loop().now(), right_for); }
  auth::slow_answer what;
  nanoseconds right_for;
};

// One listening socket's multishot accept.
struct worker::acceptor : io::operation {
  acceptor(worker& w, int socket, std::uint32_t index)
      : operation(&on_accepted), owner(w), fd(socket), listener(index), again(*this) {}
  struct pause : io::timer {
    explicit pause(acceptor& a) : timer(&on_accept_again), of(a) {}
    acceptor& of;
  };
  worker& owner;
  int fd;
  std::uint32_t listener;
  pause again;
};

worker::worker(io::loop& on, worker_parts parts)
    : loop_(on),
      parts_(std::move(parts)),
      pools_(on, h2_windows_),
      redis_(on, parts_.index, make_share_script(), *parts_.counters),
      auditor_(parts_.audit, parts_.audit != nullptr ? random() : 0),
      h2_windows_(parts_.state->settings.server.buffers_bytes) {
  if (parts_.hashes) {
    authenticator_.share_secret(parts_.hashes->secret());
    hash_inbox_ = std::make_shared<gateway::hash_inbox>();
    hash_inbox_->ring = loop_.kernel().descriptor();
  }
  make_waiting_lists(parts_.state->listeners.size());
  adopt(std::move(parts_.state));
  authenticator_.revoke(std::move(parts_.revoked));
}

worker::~worker() {
  RW_ASSERT(first_ == nullptr && connections_.inside() == 0 && chores_.inside() == 0);
}

void worker::adopt(std::shared_ptr<const snapshot> state) {
  auto made = std::make_unique<epoch>();
  pools_.forget_all();
  for (const upstream_plan& plan : state->upstreams) {
    std::vector<std::shared_ptr<upstream::server_pool>> pools;
    pools.reserve(plan.servers.size());
    for (std::size_t i = 0; i < plan.servers.size(); ++i) {
      pools.push_back(
          pools_.at(*plan.settings, plan.servers[i], plan.health.share(i), parts_.index));
      pools.back()->use_tls(plan.tls, parts_.index, plan.servers[i].tls_name);
    }
    made->upstreams.push_back(
        std::make_unique<upstream_use>(loop_, plan, std::move(pools), random()));
  }
  if (state->mint_key) {
    result<auth::minter> minter = auth::minter::make(state->mint_key, state->settings.mint);
    if (minter) made->minter.emplace(std::move(*minter));
  }
  made->state = std::move(state);
  made->auth = {made->state, &made->state->auth};
  redis_.adopt(made->state->asks_redis ? made->state->redis : nullptr);
  for (const worker_parts::accepting& one : parts_.listening) {
    const config::listener& rules = *made->state->listeners[one.listener].settings;
    loop_.kernel().watch_peer(one.fd, net::client_liveness(rules.timeouts.write_gap));
  }
  access_format_ = formatter_for(made->state->settings.log);
  auditor_.adopt(made->state->settings.log);
  std::swap(epoch_, made);
  if (made && made->users > 0) past_.push_back(std::move(made));
  send_away_outdated(first_);
}

void worker::revoke(std::shared_ptr<const auth::revocation_list> list) {
  authenticator_.revoke(std::move(list));
  for (connection* c = first_; c != nullptr; c = c->next) {
    for (exchange* x = c->current; x != nullptr; x = x->next_of_client) {
      if (x->caller.kind == auth::credential_kind::none) continue;
      const auth::snapshot& by = *x->under->auth;
      if (authenticator_.is_revoked(presented_by(*x), x->caller, by, loop_.wall_now())) {
        end_caller(*x, "revoked");
      }
    }
  }
}

void worker::adopt_keys(std::shared_ptr<const auth::snapshot> keys) noexcept {
  epoch_->auth = std::move(keys);
}

void worker::keys_settled(const key_source& of) noexcept {
  for (const key_wait& one : key_waits_) {
    if (one.of == &of) one.pause->cut();
  }
}

io::task<> worker::wait_for_keys(const key_source& of) {
  io::sleep pause(loop_, loop_.now() + key_source::wait_max);
  key_waits_.push_back({&of, &pause});
  co_await pause;
  std::erase_if(key_waits_, [&pause](const key_wait& one) { return one.pause == &pause; });
}

void worker::release(epoch* one) noexcept {
  if (--one->users > 0 || one == epoch_.get()) return;
  std::erase_if(past_, [one](const std::unique_ptr<epoch>& p) { return p.get() == one; });
}

exchange& worker::begin(connection& client) {
  if (free_exchanges_.empty()) free_exchanges_.push_back(std::make_unique<exchange>());
  exchange& x = *free_exchanges_.back().release();  // until end()
  free_exchanges_.pop_back();
  idle_exchanges_ = std::min(idle_exchanges_, free_exchanges_.size());
  x.reset();
  x.on = this;
  x.client = &client;
  x.downstream = &client.downstream;
  x.client_ip = client.peer.ip;
  x.client_is_unix = client.peer.is_unix;
  x.under = epoch_.get();
  ++x.under->users;
  x.state = x.under->state.get();
  x.began = loop_.now();
  x.began_at = loop_.wall_now();
  ++client.requests;
  x.next_of_client = std::exchange(client.current, &x);
  return x;
}

void worker::end(exchange& done) noexcept {
  exchange** at = &done.client->current;
  while (*at != &done) at = &(*at)->next_of_client;
  *at = done.next_of_client;
  done.head_bytes = {};
  done.path_bytes.reset();
  release(std::exchange(done.under, nullptr));
  free_exchanges_.emplace_back(&done);
}

// A flood makes many, of some 23 KiB each. What is asked for again and again stays.
void worker::give_up_idle_exchanges() {
  const std::size_t kept = std::min(idle_exchanges_, exchanges_kept);
  const std::size_t gone = std::min(idle_exchanges_ - kept, exchanges_given_up);
  free_exchanges_.erase(free_exchanges_.begin(),
                        free_exchanges_.begin() + static_cast<std::ptrdiff_t>(gone));
  idle_exchanges_ = free_exchanges_.size();
}

void worker::withdraw(exchange& one) noexcept {
  --one.client->requests;
  end(one);
}

std::uint64_t worker::random() noexcept {
  if (random_used_ == random_.size()) {
    random_bytes(std::as_writable_bytes(std::span(random_)));
    random_used_ = 0;
  }
  return std::exchange(random_[random_used_++], 0);
}

std::string_view worker::date() noexcept {
  const std::int64_t second = loop_.wall_now().time_since_epoch().count() / 1'000'000'000;
  if (second != date_second_) {
    date_second_ = second;
    date_ = http::format_date(loop_.wall_now());
  }
  return date_.view();
}

int worker::listening_fd(std::uint32_t listener) const noexcept {
  const auto one =
      std::ranges::find(parts_.listening, listener, &worker_parts::accepting::listener);
  return one != parts_.listening.end() ? one->fd : -1;
}

void worker::learn(const auth::slow_answer& what, nanoseconds right_for) {
  authenticator_.learn(what, loop_.now(), right_for);
  if (!what.matched || !parts_.loads || draining_) return;
  for (const worker_load& other : *parts_.loads) {
    if (&other == &load() || !other.takes.load(std::memory_order_acquire)) continue;
    other.loop->post(loop_.kernel(), new learned(what, right_for));
  }
}

void worker::accept(acceptor& at) {
  if (!draining_) loop_.kernel().accept(at, at.fd);
}

void worker::on_accepted(io::operation& op, io::completion what) {
  auto& at = static_cast<acceptor&>(op);
  worker& self = at.owner;
  if (what.result >= 0) {
    // Whoever was accepted while the drain began is served, once.
    const place found = self.closed_ ? place::none : self.take_place(at.listener);
    if (found == place::none) {
      self.loop_.kernel().close(what.result);
      self.counters().add(observe::counter::connections_refused);
    } else {
      const std::size_t own = self.parts_.index;
      const bool alone = !self.parts_.loads || self.draining_;
      const bool surplus = found == place::surplus;
      std::size_t to = own;
      if (!alone) {
        to = surplus ? who_makes_room(*self.parts_.loads, own, at.listener)
                     : who_serves(*self.parts_.loads, own);
      }
      if (to == own) {
        self.admit(what.result, at.listener, surplus);
      } else {
        self.hand_over(what.result, at.listener, surplus, to);
      }
    }
  }
  if (what.more) return;
  const bool exhausted = what.result == -EMFILE || what.result == -ENFILE ||
                         what.result == -ENOMEM || what.result == -ENOBUFS;
  if (exhausted) {
    self.counters().add(observe::counter::accept_exhausted);
    self.loop_.timers().arm(at.again, self.loop_.now() + accept_pause);
  } else {
    self.accept(at);
  }
}

void worker::on_accept_again(io::timer& timer) {
  auto& at = static_cast<acceptor::pause&>(timer).of;
  at.owner.accept(at);
}

io::task<> worker::keep_house() {
  while (!draining_) {
    io::sleep pause(loop_, loop_.now() + housekeeping);
    pause_ = &pause;
    co_await pause;
    pause_ = nullptr;
    pools_.sweep();
    give_up_idle_exchanges();
    auditor_.look(first_, loop_.now(), loop_.wall_now());
    const io::ring_counters& ring = loop_.kernel().counters();
    counters().set(observe::counter::ring_submissions, ring.submissions);
    counters().set(observe::counter::ring_completions, ring.completions);
    counters().set(observe::counter::ring_no_buffers, ring.no_buffers);
    counters().set(observe::counter::ring_overflows, ring.overflows);
    counters().set(observe::counter::buffers_from_heap, loop_.buffers().from_heap());
    const auto tls_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, tls::heap_bytes()));
    counters().set(observe::counter::connection_bytes, io::frame_bytes() + tls_bytes);
    counters().set(observe::counter::token_cache_hits, authenticator_.cache_hits());
    counters().set(observe::counter::token_cache_misses, authenticator_.cache_misses());
    if (parts_.loads) {
      load().saturated.store(saturation_.since_last(loop_.now(), loop_.kernel().thread_time()),
                             std::memory_order_relaxed);
    }
  }
}

void worker::drain(nanoseconds at_most, bool hurried) {
  if (draining_) return;
  draining_ = true;
  if (parts_.loads) load().takes.store(false, std::memory_order_relaxed);
  io::spawn(finish(at_most, hurried), chores_);
}

bool worker::accepting() const noexcept {
  return std::ranges::any_of(acceptors_, [](const auto& at) { return at->in_flight(); });
}

// Both sides: a body on its way up waits for the origin, whatever becomes of the client.
void worker::cut(connection& one) noexcept {
  one.downstream.abort(fault::canceled);
  for (exchange* x = one.current; x != nullptr; x = x->next_of_client) {
    if (x->upstream) x->upstream->stream.abort(fault::canceled);
  }
}

io::task<> worker::finish(nanoseconds at_most, bool hurried) {
  for (auto& at : acceptors_) {
    at->again.disarm();
    loop_.kernel().cancel(*at);
  }
  const mono_time began = loop_.now();
  const mono_time deadline = began + at_most;
  for (connection* c = first_; c != nullptr; c = c->next) {
    const nanoseconds hasty = c->requests == 0 ? nanoseconds{first_call} : next_call;
    const bool looks = c->multiplexed && (!c->idle || !hurried);
    if (looks) c->downstream.interrupt_receive();  // so that it sees that it is to end
    if (c->idle && !looks) c->downstream.receive_by(began + (hurried ? hasty : at_most * 3 / 4));
  }
  if (pause_ != nullptr) pause_->cut();
  const mono_time nobody_comes = began + (parts_.loads ? hand_over_time : nanoseconds{0});
  while (connections_.inside() > 0 || accepting() || loop_.now() < nobody_comes) {
    const mono_time now = loop_.now();
    if (now >= deadline) {
      closed_ = true;
      for (connection* c = first_; c != nullptr; c = c->next) cut(*c);
      for (const key_wait& one : key_waits_) one.pause->cut();
      co_await connections_.empty();
      break;
    }
    io::sleep step(loop_, std::min(deadline, now + std::chrono::milliseconds{20}));
    co_await step;
  }
  closed_ = true;
  auditor_.finish(loop_.now(), loop_.wall_now());
  co_await redis_.stop();
  co_await pools_.close_all();
  finished_ = true;
}

void worker::run_all(io::message* first) {
  for (io::message* one = first; one != nullptr;) {
    io::message* next = one->next;
    static_cast<command*>(one)->run(*this);
    delete one;
    one = next;
  }
}

void worker::run() {
  if (parts_.loads) {
    load().loop = &loop_;
    load().takes.store(true, std::memory_order_release);
  }
  for (const worker_parts::accepting& one : parts_.listening) {
    acceptors_.push_back(std::make_unique<acceptor>(*this, one.fd, one.listener));
    accept(*acceptors_.back());
  }
  io::spawn(keep_house(), chores_);
  while (!finished_ || chores_.inside() > 0 || loop_.kernel().in_flight() > 0) {
    loop_.turn();
    run_all(loop_.posted());
    if (hash_jobs_ > 0) run_all(hash_inbox_->answers.take_all());
  }
  acceptors_.clear();
}

}  // namespace rw::gateway
