#include "limit/limiter.h"

#include <algorithm>

#include "base/assert.h"
#include "base/random.h"

namespace rw::limit {

namespace {

bool same_budgets(const config::limit& a, const config::limit& b) noexcept {
  return a.name == b.name && a.rate.count == b.rate.count && a.rate.per == b.rate.per &&
         a.burst == b.burst && a.capacity == b.capacity && make_recipe(a) == make_recipe(b);
}

nanoseconds to_duration(std::uint64_t ns) noexcept {
  return nanoseconds{static_cast<std::int64_t>(ns)};
}

decision describe(const outcome& what, std::uint64_t now, const pace& pace) noexcept {
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
  if (!what.admitted) made.retry_after = made.reset;
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
    if (one.rate.count != 0 && one.rate.per.count() > 0) {
      made.pace = make_pace(one.rate, one.burst);
      if (previous != nullptr) made.table = previous->inherited(made, shards);
      if (!made.table) made.table = std::make_shared<limit::table>(one.capacity, shards);
    }
    limits_.push_back(std::move(made));
  }
}

std::shared_ptr<table> limiter::inherited(const entry& wanted, unsigned shards) const noexcept {
  for (const entry& old : limits_) {
    if (old.table && old.table->shards() == shards && same_budgets(old.config, wanted.config)) {
      return old.table;
    }
  }
  return nullptr;
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

decision limiter::admit(const demand& what, mono_time now) const noexcept {
  RW_ASSERT(what.index < limits_.size());
  RW_ASSERT(what.who.hash != 0);
  const entry& limit = limits_[what.index];
  if (!limit.table) return {.limit = limit.config.burst, .remaining = limit.config.burst};
  const std::uint64_t at = ticks(now);
  const pace& pace = pace_of(what);
  return describe(limit.table->take(what.who, at, pace), at, pace);
}

std::optional<std::size_t> limiter::admit_all(std::span<const demand> demands, mono_time now,
                                              std::span<decision> out) const noexcept {
  RW_ASSERT(out.size() >= demands.size());
  // Asked first, taken second: a caller whom one limit refuses does not disturb the others, whose
  // entries are often shared by all cores. Only what changes in between is taken and given back.
  if (demands.size() > 1) {
    const std::uint64_t at = ticks(now);
    for (std::size_t i = 0; i < demands.size(); ++i) {
      const entry& limit = limits_[demands[i].index];
      if (!limit.table) continue;
      const pace& pace = pace_of(demands[i]);
      const outcome seen = limit.table->peek(demands[i].who, at, pace);
      if (seen.admitted) continue;
      out[i] = describe(seen, at, pace);
      return i;
    }
  }
  for (std::size_t i = 0; i < demands.size(); ++i) {
    out[i] = admit(demands[i], now);
    if (out[i].admitted) continue;
    for (std::size_t taken = 0; taken < i; ++taken) give_back(demands[taken], now, now);
    return i;
  }
  return std::nullopt;
}

// An admission that is taken back has kept the bucket from overflowing meanwhile: the refill that
// a full bucket would have lost must not come back with it.
void limiter::give_back(const demand& what, mono_time taken_at, mono_time now) const noexcept {
  RW_ASSERT(what.index < limits_.size());
  const entry& limit = limits_[what.index];
  if (!limit.table) return;
  const std::uint64_t passed = ticks(std::max(now, taken_at)) - ticks(taken_at);
  const std::uint64_t taken = pace_of(what).interval_ns;
  if (passed < taken) limit.table->give_back(what.who, taken - passed);
}

std::uint64_t limiter::forgiven(std::uint32_t index) const noexcept {
  RW_ASSERT(index < limits_.size());
  return limits_[index].table ? limits_[index].table->forgiven() : 0;
}

}  // namespace rw::limit
