#include "gateway/once.h"

#include <algorithm>
#include <utility>

#include "gateway/decide.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

// Clocks of gateways differ: where this one is ahead, others believe the token for so much longer.
constexpr std::chrono::minutes clocks_differ{1};
constexpr std::chrono::hours longest{24 * 366 * 10};

bool is_shared(const exchange& x) noexcept { return x.state->asks_redis && x.state->redis; }

bool rejects(const exchange& x) noexcept {
  return x.state->settings.redis.on_loss == config::redis_loss::reject;
}

// A budget of one that fills up no sooner than the token has expired: whoever takes it is first.
limit::shared_demand demand_of(const exchange& x) noexcept {
  const auto now = std::chrono::floor<std::chrono::microseconds>(x.on->loop().wall_now());
  const auto left = std::clamp<std::chrono::microseconds>(x.caller.spent_until - now,
                                                          std::chrono::seconds{0}, longest);
  const nanoseconds lasts = left + clocks_differ;
  const auto whole = static_cast<std::uint64_t>(lasts.count());
  return {.pace = {.interval_ns = whole, .window_ns = whole, .burst = 1}};
}

verdict lose(exchange& x) {
  x.on->counters().add(observe::counter::redis_lost);
  if (!rejects(x)) return judge_known(x);
  x.caller.why = auth::reason::replay_unknown;
  return {503, auth::name(x.caller.why).data()};
}

}  // namespace

bool cannot_ask_once(const exchange& x) noexcept {
  return is_shared(x) && rejects(x) && !x.on->redis().ready();
}

verdict ask_once(exchange& x) noexcept {
  if (x.caller.spent_until == auth::numeric_date{} || !is_shared(x)) return {};
  x.asks_once = true;
  return {verdict::undecided, "waits_for_replay"};
}

io::task<> wait_for_once(exchange& x) {
  x.asks_once = false;
  const limit::shared_demand asked_for = demand_of(x);
  redis::command words;
  {
    std::string key;
    const auth::issuer& of = x.under->auth->issuers[x.caller.spent_issuer];
    limit::write_once_key(of.rules.issuer, x.caller.token_id, x.state->share_secret, key);
    words.add(1U).add(key);
    const limit::shared_arguments text = limit::write_arguments(asked_for);
    for (std::size_t i = 0; i < limit::arguments_per_key; ++i) words.add(text.at(i));
  }
  redis::question asked(x.on->redis(), words);
  const redis::reply* got = co_await asked;
  limit::shared_answer answer;
  const bool is_answer = got != nullptr && got->count == 2 &&
                         limit::read_answer(asked_for, got->numbers[0], got->numbers[1], answer);
  if (!is_answer) {
    if (got != nullptr) x.on->counters().add(observe::counter::redis_garbage);
    x.decision = lose(x);
  } else if (answer.granted > 0) {
    x.decision = judge_known(x);
  } else {
    x.caller.why = auth::reason::replayed;
    x.decision = {401, auth::name(x.caller.why).data()};
  }
}

}  // namespace rw::gateway
