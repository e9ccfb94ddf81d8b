#include "gateway/judge.h"

#include <optional>
#include <utility>

#include "base/phase.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// Where a request belongs with balance = "hash:..."; nothing when it does not say.
std::optional<std::uint64_t> key_of(const exchange& x) noexcept {
  const config::upstream& rules = *x.to->settings;
  if (rules.balance != config::balance_rule::hash) return std::nullopt;
  std::string_view text;
  switch (rules.hash_by) {
    case config::hash_key::client_ip:
      if (x.client_is_unix) return std::nullopt;
      text = {reinterpret_cast<const char*>(x.client_ip.data()), x.client_ip.size()};
      break;
    case config::hash_key::identity:
      text = x.caller.who.view();
      break;
    case config::hash_key::header:
      if (const http::field* one = x.request.find(rules.hash_header)) text = one->value;
      break;
  }
  if (text.empty()) return std::nullopt;
  return upstream::hash_of(text);
}

// What nginx and Envoy can count: 501 and 505 say something of the request.
bool is_failure(unsigned status) noexcept {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

upstream::server_counts& counts_of(const exchange& x) noexcept { return x.upstream->pool.counts(); }

void note_deadline(const exchange& x) noexcept {
  const observe::deadline passed = x.decision.passed;
  if (passed == observe::deadline::none || observe::is_of_client(passed)) return;
  counts_of(x).deadlines.add(passed);
}

}  // namespace

bool is_repeatable(const exchange& x) noexcept {
  const bool held = !x.request.has_body() || !x.first_body.empty();
  return held && http::is_idempotent(x.request.verb);
}

bool is_held(const exchange& x) noexcept {
  if (!x.request.has_body() || !x.first_body.empty()) return true;
  return !x.replay_lost && x.bytes_in == x.replay_size;
}

bool was_not_begun(const exchange& x, const error& why) noexcept {
  return why.may_retry && x.upstream && x.upstream->carried() != nullptr;
}

bool choose_server(exchange& x, upstream_use& use, const upstream::server_pool* tried) noexcept {
  const phase_scope about(phase::forward);
  upstream::demand wanted;
  wanted.now = x.on->loop().now();
  wanted.random = x.on->random();
  wanted.key = key_of(x);
  wanted.avoid = tried;
  wanted.first_try = x.attempts == 0;
  wanted.repeatable = is_repeatable(x) && x.to->settings->retry_attempts > 1;
  const upstream::choice chosen = use.picker.pick(wanted);
  if (chosen.server == upstream::choice::none) return false;
  x.server = chosen.server;
  x.trial = chosen.trial;
  x.upstream_name = x.to->servers[chosen.server].name;
  use.pools[chosen.server]->enter();
  return true;
}

void judge_head(exchange& x) noexcept {
  const upstream::cluster& health = x.to->health;
  const mono_time now = x.on->loop().now();
  const bool trial = std::exchange(x.trial, false);
  counts_of(x).first_byte.record(x.first_byte - x.connected);
  if (!is_failure(x.response.status)) return health.answered(x.server, now, trial);
  counts_of(x).failed.add();
  health.failed(x.server, "answered_5xx", x.response.status, now, trial);
}

void judge_failure(exchange& x, const error& why) noexcept {
  const upstream::cluster& health = x.to->health;
  const bool trial = std::exchange(x.trial, false);
  // Not the client's, and not ours.
  const bool its_fault = !x.upload_failed && (x.decision.status == 502 || x.decision.status == 504);
  const bool ended = why.code == fault::closed || why.code == fault::reset;
  // A server may end a connection that it has kept for long enough, and be well.
  const bool was_kept = ended && x.upstream->requests > 1 && x.first_byte == mono_time{};
  // Or one on which more comes than it wants: what it said to that may be lost to the reset.
  const bool too_much = ended && x.uploaded && !x.body_read;
  // GOAWAY, before it has begun on this one (RFC 9113 6.8).
  const bool not_begun = ended && was_not_begun(x, why);
  // `total` counts what the client took for its body as well.
  const bool clients_time = x.out_of_time && (x.uploaded || x.callers_time);
  note_deadline(x);
  if (its_fault && !was_kept && !not_begun && !too_much && !clients_time) {
    counts_of(x).failed.add();
    health.failed(x.server, x.decision.reason, 0, x.on->loop().now(), trial);
  } else if (trial) {
    health.abandoned(x.server);
  }
}

void judge_body(exchange& x) noexcept {
  if (x.decision.status == 0) return x.to->health.completed(x.server);
  note_deadline(x);
  if (x.decision.status != 502 && x.decision.status != 504) return;  // the client has gone
  if (x.out_of_time) return;  // it may have been the client that took its time
  counts_of(x).failed.add();
  x.to->health.cut(x.server, x.decision.reason, x.on->loop().now());
}

}  // namespace rw::gateway
