#include "limit/limiter.h"

#include <algorithm>

#include "base/assert.h"
#include "base/random.h"

namespace rw::limit {

namespace {

bool same_keys(const config::limit& a, const config::limit& b) noexcept {
  return a.name == b.name && a.capacity == b.capacity && a.by_headers == b.by_headers &&
         make_recipe(a) == make_recipe(b);
}

bool same_budgets(const config::limit& a, const config::limit& b) noexcept {
  return same_keys(a, b) && a.rate.count == b.rate.count && a.rate.per == b.rate.per &&
         a.burst == b.burst && a.cost == b.cost;
}

nanoseconds to_duration(std::uint64_t ns) noexcept {
  return nanoseconds{static_cast<std::int64_t>(ns)};
}

// A refused request would have taken `wanted_ns`.
decision describe(const outcome& what, std::uint64_t now, const pace& pace,
                  std::uint64_t wanted_ns) noexcept {
  decision made{.admitted = what.admitted, .limit = pace.burst};
  const std::uint64_t end = now + pace.window_ns;
  if (what.when <= now) {
    made.remaining = pace.burst;
    return made;
  }
  // A clock behind the others' may find a TAT that is further off than its own window.
  const std::uint64_t free_ns = end > what.when ? end - what.when : 0;
  made.remaining = free_ns / pace.interval_ns;
  const std::uint64_t behind = what.when > end ? what.when - end : 0;
  made.reset = to_duration(behind + pace.interval_ns - free_ns % pace.interval_ns);
  if (!what.admitted) {
    made.met = bound::rate;
    made.retry_after = to_duration(what.when + wanted_ns - end);
  }
  return made;
}

}  // namespace

limiter::limiter(std::span<const config::limit> limits, unsigned shards, const limiter* previous) {
  if (previous != nullptr) {
    secret_ = previous->secret_;
  } else {
    random_bytes(std::as_writable_bytes(std::span(secret_)));
  }
  limits_.reserve(limits.size());
  for (const config::limit& one : limits) {
    entry made{.config = one, .recipe = make_recipe(one)};
    if (previous != nullptr) previous->inherit(made, shards);
    if (one.rate.count != 0 && one.rate.per.count() > 0) {
      made.pace = make_pace(one.rate, one.burst);
      if (!made.table) made.table = std::make_shared<limit::table>(one.capacity, shards);
    }
    if (one.concurrent != 0 && !made.under_way) {
      made.under_way = std::make_shared<limit::table>(one.capacity, shards);
    }
    if (one.shared == config::limit_sharing::leased && !made.leases) {
      made.leases = std::make_shared<limit::table>(one.capacity, shards);
    }
    limits_.push_back(std::move(made));
  }
}

// Counts are what they are whatever the bound; a budget is one of its rate.
void limiter::inherit(entry& wanted, unsigned shards) const noexcept {
  for (const entry& old : limits_) {
    if (!same_keys(old.config, wanted.config)) continue;
    if (wanted.config.concurrent != 0 && old.under_way && old.under_way->shards() == shards) {
      wanted.under_way = old.under_way;
    }
    if (old.table && old.table->shards() == shards && same_budgets(old.config, wanted.config)) {
      wanted.table = old.table;
      if (wanted.config.shared == config::limit_sharing::leased) wanted.leases = old.leases;
    }
    return;
  }
}

key limiter::make_key(std::uint32_t index, const caller& who) const noexcept {
  RW_ASSERT(index < limits_.size());
  return limit::make_key(limits_[index].recipe, who, secret_);
}

demand limiter::make_demand(std::uint32_t index, const caller& who) const noexcept {
  demand made{.index = index, .who = make_key(index, who)};
  const entry& limit = limits_[index];
  if (who.own.count != 0 && limit.recipe.identity && limit.table) {
    made.own = make_own_pace(limit.pace, who.own);
  }
  return made;
}

// From the budget alone.
decision limiter::take(const demand& what, std::uint64_t now) const noexcept {
  const entry& limit = limits_[what.index];
  if (!limit.table) return {.limit = limit.config.burst, .remaining = limit.config.burst};
  pace charged = pace_of(what);
  if (what.cost == 0 || what.cost > charged.burst) return peek(what, now);
  charged.interval_ns *= what.cost;
  return describe(limit.table->take(what.who, now, charged), now, pace_of(what),
                  charged.interval_ns);
}

// What take() would say, changing nothing.
decision limiter::peek(const demand& what, std::uint64_t now) const noexcept {
  const entry& limit = limits_[what.index];
  if (!limit.table) return {.limit = limit.config.burst, .remaining = limit.config.burst};
  pace charged = pace_of(what);
  if (what.cost > charged.burst) {
    return {.admitted = false, .met = bound::size, .limit = charged.burst};
  }
  charged.interval_ns *= what.cost;
  outcome seen = limit.table->peek(what.who, now, charged);
  if (what.cost == 0) seen.admitted = true;  // it takes nothing from a budget, empty or not
  return describe(seen, now, pace_of(what), charged.interval_ns);
}

// What admit() would say, but for a table without room.
decision limiter::foresee(const demand& what, std::uint64_t now) const noexcept {
  const entry& limit = limits_[what.index];
  const bool most = limit.under_way && limit.under_way->count(what.who) >= limit.config.concurrent;
  return most ? decision{.admitted = false, .met = bound::under_way} : peek(what, now);
}

decision limiter::admit(const demand& what, mono_time now) const noexcept {
  RW_ASSERT(what.index < limits_.size());
  RW_ASSERT(what.who.hash != 0);
  const entry& limit = limits_[what.index];
  if (!limit.under_way) return take(what, ticks(now));
  switch (limit.under_way->enter(what.who, limit.config.concurrent)) {
    case entrance::over:
      return {.admitted = false, .met = bound::under_way};
    case entrance::full:
      return {.admitted = false, .met = bound::room};
    case entrance::entered:
      break;
  }
  const decision made = take(what, ticks(now));
  if (!made.admitted) leave(what);
  return made;
}

std::optional<std::size_t> limiter::admit_all(std::span<const demand> demands, mono_time now,
                                              std::span<decision> out) const noexcept {
  RW_ASSERT(out.size() >= demands.size());
  const auto is_shadow = [&](std::size_t i) { return limits_[demands[i].index].config.shadow; };
  // Asked first, taken second: a caller whom one limit refuses does not disturb the others, whose
  // entries are often shared by all cores. Only what changes in between is taken and given back.
  if (demands.size() > 1) {
    for (std::size_t i = 0; i < demands.size(); ++i) {
      if (is_shadow(i)) continue;
      const decision seen = foresee(demands[i], ticks(now));
      if (seen.admitted) continue;
      out[i] = seen;
      return i;
    }
  }
  for (std::size_t i = 0; i < demands.size(); ++i) {
    if (is_shadow(i)) continue;
    out[i] = admit(demands[i], now);
    if (out[i].admitted) continue;
    for (std::size_t taken = 0; taken < i; ++taken) {
      if (!is_shadow(taken)) give_back(demands[taken], now, now);
    }
    return i;
  }
  for (std::size_t i = 0; i < demands.size(); ++i) {
    if (is_shadow(i)) out[i] = admit(demands[i], now);
  }
  return std::nullopt;
}

// An admission that is taken back has kept the bucket from overflowing meanwhile: the refill that
// a full bucket would have lost must not come back with it.
void limiter::give_back(const demand& what, mono_time taken_at, mono_time now) const noexcept {
  RW_ASSERT(what.index < limits_.size());
  leave(what);
  const entry& limit = limits_[what.index];
  if (!limit.table) return;
  const std::uint64_t passed = ticks(std::max(now, taken_at)) - ticks(taken_at);
  const std::uint64_t taken = what.cost * pace_of(what).interval_ns;
  if (passed < taken) limit.table->give_back(what.who, taken - passed);
}

decision limiter::learn(const demand& what, bool granted, nanoseconds debt,
                        mono_time now) const noexcept {
  const entry& limit = limits_[what.index];
  const pace& own = pace_of(what);
  const bool leased = limit.config.shared == config::limit_sharing::leased;
  std::uint64_t when = ticks(now) + static_cast<std::uint64_t>(debt.count());
  if (leased && !granted) {
    when = std::max(when, ticks(now) + own.window_ns - own.interval_ns + hold_off_ns(own));
  }
  // Of leases what others hold is in the debt too: no reason to wait for who has credits.
  if (!leased || !granted) limit.table->raise(what.who, ticks(now), when);
  decision made = describe({.admitted = granted, .when = when}, ticks(now), own, own.interval_ns);
  if (!granted && made.met == bound::none) made.met = bound::rate;
  return made;
}

spending limiter::spend(const demand& what, mono_time now) const noexcept {
  return limits_[what.index].leases->spend(what.who, ticks(now), slice_of(pace_of(what)));
}

void limiter::deposit(const demand& what, std::uint64_t credits, deposit_of which,
                      mono_time now) const noexcept {
  limits_[what.index].leases->deposit(what.who, ticks(now), credits, slice_of(pace_of(what)),
                                      which);
}

std::uint64_t limiter::slice_of(const pace& of) noexcept {
  constexpr std::uint64_t part = 10;
  return std::clamp<std::uint64_t>(of.burst / part, 1, detail::credits_max);
}

void limiter::write_key(std::uint32_t index, const caller& who, std::string_view route,
                        const shared_secret& secret, std::string& out) const {
  write_shared_key(limits_[index].config.name, limits_[index].recipe, who, route, secret, out);
}

void limiter::leave(const demand& what) const noexcept {
  const entry& limit = limits_[what.index];
  if (limit.under_way) limit.under_way->leave(what.who);
}

std::size_t limiter::sets(std::uint32_t index) const noexcept {
  const entry& limit = limits_[index];
  const auto& from = limit.table ? limit.table : limit.under_way;
  return from ? from->sets() : 0;
}

void limiter::look(std::uint32_t index, std::size_t first, std::size_t sets, mono_time now,
                   std::vector<holder>& out) const {
  const entry& limit = limits_[index];
  const auto& from = limit.table ? limit.table : limit.under_way;
  if (!from) return;
  const std::uint64_t floor = limit.table ? ticks(now) : 0;
  std::vector<table::holder> found;
  from->look(first, sets, floor, found);
  for (const table::holder& one : found) out.push_back({one.who, one.when - floor});
}

std::uint64_t limiter::under_way(std::uint32_t index, key who) const noexcept {
  const entry& limit = limits_[index];
  return limit.under_way ? limit.under_way->count(who) : 0;
}

void limiter::refill(std::uint32_t index, key who) const noexcept {
  const entry& limit = limits_[index];
  if (limit.table) limit.table->give_back(who, pending_bit - 1);
}

std::uint64_t limiter::forgiven(std::uint32_t index) const noexcept {
  RW_ASSERT(index < limits_.size());
  return limits_[index].table ? limits_[index].table->forgiven() : 0;
}

}  // namespace rw::limit
