#include "gateway/share.h"

#include <algorithm>
#include <utility>

#include "gateway/decide.h"
#include "gateway/worker.h"

namespace rw::gateway {
namespace {

using config::limit_sharing;
using limit::deposit_of;

const config::limit& rules_of(const exchange& x, std::size_t i) noexcept {
  return x.state->limits->at(x.limits[i].index);
}

limit::shared_demand demand_of(const exchange& x, std::size_t i, std::int64_t want) noexcept {
  return {.pace = x.state->limits->pace_of(x.limits[i]),
          .want = want,
          .least = want < 0 ? want : 1,
          .shadow = rules_of(x, i).shadow};
}

// The words of a question: how many keys, the keys, their arguments.
class wording {
 public:
  explicit wording(const exchange& x) noexcept : x_(x) {}
  void add(std::size_t i, const limit::shared_demand& what) {
    at_[count_] = i;
    what_[count_++] = what;
  }
  std::size_t size() const noexcept { return count_; }
  void write(redis::command& out) const {
    std::string key;
    out.add(count_);
    for (std::size_t k = 0; k < count_; ++k) {
      write_shared_key(x_, at_[k], key);
      out.add(key);
    }
    for (std::size_t k = 0; k < count_; ++k) {
      const limit::shared_arguments text = limit::write_arguments(what_[k]);
      for (std::size_t i = 0; i < limit::arguments_per_key; ++i) out.add(text.at(i));
    }
  }

 private:
  const exchange& x_;
  std::size_t count_ = 0;
  std::array<std::size_t, limits_per_route_max> at_;
  std::array<limit::shared_demand, limits_per_route_max> what_;
};

static_assert(redis::words_max >= 3 + limits_per_route_max * (1 + limit::arguments_per_key));
static_assert(redis::reply::numbers_max >= 2 * limits_per_route_max);

// A slice ahead, for whoever comes next: nobody waits for it. Deletes itself.
class refill final : public redis::asker {
 public:
  explicit refill(exchange& x, std::size_t i, std::uint64_t want)
      : asker(words_),
        on_(*x.on),
        state_(x.under->state),
        limit_(x.limits[i]),
        asked_for_(demand_of(x, i, static_cast<std::int64_t>(want))) {
    wording made(x);
    made.add(i, asked_for_);
    made.write(words_);
  }
  void send() {
    if (!on_.redis().ask(*this)) told(nullptr);
  }
  void told(const redis::reply* what) noexcept override {
    limit::shared_answer got;
    if (what != nullptr && what->count == 2) {
      limit::read_answer(asked_for_, what->numbers[0], what->numbers[1], got);
    }
    state_->limits->deposit(limit_, static_cast<std::uint64_t>(got.granted),
                            got.granted < asked_for_.want ? deposit_of::a_part : deposit_of::all,
                            on_.loop().now());
    delete this;
  }

 private:
  ~refill() = default;

  worker& on_;
  std::shared_ptr<const snapshot> state_;
  limit::demand limit_;
  limit::shared_demand asked_for_;
  redis::command words_;
};

// What only an answer would have said: by `on_loss`.
verdict lose(exchange& x, std::size_t from) {
  x.on->counters().add(observe::counter::redis_lost);
  for (std::size_t i = from; i < x.limit_count; ++i) {
    if (std::exchange(x.slices[i], 0) == 0) continue;
    if (rules_of(x, i).shared == limit_sharing::leased) {
      x.state->limits->deposit(x.limits[i], 0, deposit_of::a_part, x.on->loop().now());
    }
  }
  if (x.state->settings.redis.on_loss == config::redis_loss::local) return {};
  give_back(x, x.limit_count);
  return {503, "limits_unavailable"};
}

// Refused elsewhere by limit `refused`, or by none; false for what is no answer.
bool read(exchange& x, std::size_t from, const redis::reply& what,
          std::array<limit::shared_answer, limits_per_route_max>& out, std::size_t& refused) {
  std::size_t k = 0;
  refused = SIZE_MAX;
  for (std::size_t i = from; i < x.limit_count; ++i) {
    if (x.slices[i] == 0) continue;
    if (2 * k + 1 >= what.count) return false;
    const auto asked = demand_of(x, i, static_cast<std::int64_t>(x.slices[i]));
    if (!limit::read_answer(asked, what.numbers[2 * k], what.numbers[2 * k + 1], out[i])) {
      return false;
    }
    if (out[i].granted == 0 && !asked.shadow && refused == SIZE_MAX) refused = i;
    ++k;
  }
  return 2 * k == what.count;
}

// Here they take what they have been granted, or give back what this gate alone had let in.
verdict settle_shares(exchange& x, std::size_t from, const redis::reply& what, mono_time asked_at) {
  std::array<limit::shared_answer, limits_per_route_max> got;
  std::size_t refused = SIZE_MAX;
  if (!read(x, from, what, got, refused)) {
    x.on->counters().add(observe::counter::redis_garbage);
    return lose(x, from);
  }
  const limit::limiter& limits = *x.state->limits;
  const mono_time now = x.on->loop().now();
  if (refused != SIZE_MAX) give_back(x, x.limit_count);
  for (std::size_t i = from; i < x.limit_count; ++i) {
    const std::uint64_t slice = std::exchange(x.slices[i], 0);
    if (slice == 0) continue;
    const bool granted = got[i].granted > 0 && refused == SIZE_MAX;
    if (got[i].granted == 0 && x.taken[i]) {  // a shadow
      limits.give_back(x.limits[i], asked_at, now);
      x.taken[i] = false;
    }
    const bool leased = rules_of(x, i).shared == limit_sharing::leased;
    if (leased) {
      const auto lent = granted ? static_cast<std::uint64_t>(got[i].granted) : 0;
      const deposit_of which = lent < slice ? deposit_of::a_part : deposit_of::all;
      if (x.slice_is_own[i]) limits.deposit(x.limits[i], lent - (granted ? 1 : 0), which, now);
    }
    x.shared[i] = granted;
    // As of when it was asked: never later than it is.
    if (!leased || got[i].granted == 0) {
      x.outcomes[i] = limits.learn(x.limits[i], got[i].granted > 0, got[i].debt, asked_at);
    }
  }
  if (refused == SIZE_MAX) return {};
  x.refusing_limit = refused;
  return {429, "rate_limited"};
}

}  // namespace

redis::script make_share_script() {
  constexpr limit::pace once{.interval_ns = 1'000'000, .window_ns = 1'000'000, .burst = 1};
  redis::script made{.text = limit::shared_script(), .probe = {}};
  made.probe.add(1U).add("rw:probe");
  const limit::shared_arguments text = limit::write_arguments({.pace = once});
  for (std::size_t i = 0; i < limit::arguments_per_key; ++i) made.probe.add(text.at(i));
  return made;
}

verdict share(exchange& x, std::size_t from) {
  const limit::limiter& limits = *x.state->limits;
  bool asks = false;
  for (std::size_t i = from; i < x.limit_count; ++i) {
    x.slices[i] = 0;
    x.shared[i] = false;
    const limit_sharing how = rules_of(x, i).shared;
    if (how == limit_sharing::off || !x.taken[i]) continue;
    if (how == limit_sharing::leased) {
      const limit::spending done = limits.spend(x.limits[i], x.on->loop().now());
      x.slice_is_own[i] = done.ask_for > 0;
      if (done.spent) {
        x.shared[i] = true;
        if (done.ask_for > 0) (new refill(x, i, done.ask_for))->send();
        continue;
      }
      x.slices[i] = std::max<std::uint64_t>(done.ask_for, 1);
    } else {
      x.slices[i] = 1;
    }
    asks = true;
  }
  if (!asks) return {};
  if (!x.on->redis().ready()) return lose(x, from);
  x.shares_from = from;
  return {verdict::undecided, "waits_for_limits"};
}

io::task<> wait_for_shares(exchange& x) {
  const std::size_t from = std::exchange(x.shares_from, SIZE_MAX);
  const bool early = x.limit_count == x.route->early_limits.size();
  const mono_time asked_at = x.on->loop().now();
  redis::command words;
  {
    wording made(x);
    for (std::size_t i = from; i < x.limit_count; ++i) {
      if (x.slices[i] != 0) made.add(i, demand_of(x, i, static_cast<std::int64_t>(x.slices[i])));
    }
    made.write(words);
  }
  redis::question asked(x.on->redis(), words);
  const redis::reply* got = co_await asked;
  x.decision = got != nullptr ? settle_shares(x, from, *got, asked_at) : lose(x, from);
  if (x.decision.admitted()) x.decision = early ? judge_caller(x) : check_body(x);
}

void give_back(exchange& x, std::size_t count) {
  const limit::limiter& limits = *x.state->limits;
  const mono_time now = x.on->loop().now();
  wording back(x);
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::exchange(x.taken[i], false)) continue;
    limits.give_back(x.limits[i], now, now);
    if (rules_of(x, i).shared == limit_sharing::off || !std::exchange(x.shared[i], false)) continue;
    if (rules_of(x, i).shared == limit_sharing::leased) {
      limits.deposit(x.limits[i], 1, deposit_of::one_back, now);
    } else {
      back.add(i, demand_of(x, i, -1));
    }
  }
  if (back.size() == 0) return;
  redis::command words;
  back.write(words);
  x.on->redis().tell(words);
}

}  // namespace rw::gateway
