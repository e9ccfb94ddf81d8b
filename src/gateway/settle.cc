#include "gateway/connection.h"
#include "gateway/decide.h"
#include "gateway/hash_pool.h"
#include "gateway/once.h"
#include "gateway/share.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// For the pool to come to a key and hold it against every line.
constexpr std::chrono::seconds hash_patience{20};
// A key, then a token's keys, and the key again where its match was forgotten meanwhile; limits by
// address before them, by identity after them, and whether the token was used elsewhere.
constexpr unsigned waits_max = 6;

// What the key in `x.caller` costs is the caller's address's to pay, unless it has been right
// before.
io::task<> wait_for_hash(exchange& x) {
  hash_pool* const pool = x.on->hashes();
  io::loop& loop = x.on->loop();
  if (pool == nullptr || x.on->draining()) {
    x.decision = {503, "unverified"};
    co_return;
  }
  const bool known = x.caller.slow_key_known;
  const limit::key payer = pool->key_of(x.client_ip);
  if (!known && !pool->charge(payer, loop.now())) {
    x.decision = {429, "too_many_guesses"};
    co_return;
  }
  auto job = std::make_unique<hash_job>(x.on->hash_inbox(), x.state->auth.keys, x.caller.slow_key,
                                        x.on->authenticator().digest(x.caller.slow_key),
                                        x.state->auth.slow_for, known);
  if (!pool->submit(job.get())) {
    if (!known) pool->give_back(payer, loop.now());
    x.decision = {503, "hash_queue_full"};
    co_return;
  }
  x.on->hash_begun();
  if (x.body_read) x.downstream->rest();  // so that its end is noticed
  hash_wait answer(*job.release(), *x.downstream, loop.now() + hash_patience);
  const hash_wait::outcome how = co_await answer;
  if (how == hash_wait::outcome::gone) {
    x.keep_alive = false;
    x.decision = {499, "client_closed"};
    co_return;
  }
  if (how == hash_wait::outcome::timed_out) {
    x.decision = {503, "unverified"};
    co_return;
  }
  if (!known && answer.answer().matched) pool->give_back(payer, loop.now());
  x.decision = judge_caller(x, &answer.answer());
  // Only if the answer was about another key, which it never is.
  if (x.caller.pending()) x.decision = {503, "unverified"};
}

// Once: what has not come by then is not there.
io::task<> wait_for_keys(exchange& x) {
  key_source& source = *x.state->key_plans[x.caller.wants_keys_of].source;
  co_await x.on->wait_for_keys(source);
  source.leave();
  x.waited_for_keys = true;
  x.decision = judge_caller(x);
}

}  // namespace

io::task<> settle(exchange& x) {
  // With auth_all there may be a key and a token to wait for.
  for (unsigned waits = 0; x.decision.pending() && waits < waits_max; ++waits) {
    if (x.shares_from != SIZE_MAX) {
      co_await wait_for_shares(x);
    } else if (x.asks_once) {
      co_await wait_for_once(x);
    } else if (x.caller.pending()) {
      co_await wait_for_hash(x);
    } else {
      co_await wait_for_keys(x);
    }
  }
  if (x.decision.pending()) x.decision = {503, "unverified"};
  x.on->audit().decide(x);
  x.decided = x.on->loop().now();
}

}  // namespace rw::gateway
