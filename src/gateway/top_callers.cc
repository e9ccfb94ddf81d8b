#include "gateway/top_callers.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/random.h"

namespace rw::gateway {
namespace {

constexpr std::int64_t half_life = top_callers::half_life.count();
constexpr double forgotten_below = .1;  // requests that are left of what a caller has made

std::int64_t period_of(mono_time at) noexcept { return at.time_since_epoch().count() / half_life; }

double halved(double what, std::int64_t times) noexcept {
  return std::ldexp(what, -static_cast<int>(std::min<std::int64_t>(times, 1000)));
}

// For how many seconds a sum stands that is halved as each period ends: one request in each second
// since `came` would be as many.
double seconds_between(mono_time came, mono_time now) noexcept {
  constexpr double second = 1e9;
  const std::int64_t from = came.time_since_epoch().count();
  const std::int64_t to = now.time_since_epoch().count();
  const std::int64_t first = period_of(came);
  const std::int64_t last = period_of(now);
  if (first >= last) return static_cast<double>(std::max<std::int64_t>(to - from, 0)) / second;
  const auto in_first = static_cast<double>((first + 1) * half_life - from);
  const auto in_last = static_cast<double>(to - last * half_life);
  const double between = half_life * (1 - halved(1, last - first - 1));
  return (halved(in_first, last - first) + between + in_last) / second;
}

}  // namespace

top_callers::top_callers() : sets_(sets) {
  random_bytes(std::as_writable_bytes(std::span(secret_)));
}

std::size_t top_callers::bytes() noexcept { return sets * sizeof(set); }

void top_callers::fade(set& in, std::int64_t period) noexcept {
  const std::int64_t passed = period - in.period;
  if (passed <= 0) return;
  in.period = period;
  for (double& weight : in.weights) weight = halved(weight, passed);
  for (entry& one : in.entries) {
    for (double* sum :
         {&one.made.requests, &one.made.refused, &one.made.bytes_in, &one.made.bytes_out}) {
      *sum = halved(*sum, passed);
    }
  }
}

void top_callers::add(const request& of, mono_time now) {
  const bool by_identity = !of.identity.empty();
  // ::/64 is no unix socket's peer, though both are all zero.
  const std::uint64_t tag =
      limit::make_key({.client = !by_identity, .identity = by_identity, .route = !by_identity},
                      {.client = of.client, .identity = of.identity, .route = of.is_unix}, secret_)
          .hash;
  set& in = sets_[tag % sets];
  fade(in, period_of(now));
  std::size_t at = static_cast<std::size_t>(std::ranges::find(in.tags, tag) - in.tags.begin());
  if (at == ways) {
    at = static_cast<std::size_t>(std::ranges::min_element(in.weights) - in.weights.begin());
    in.tags[at] = tag;
    entry& fresh = in.entries[at];
    fresh.who.assign_checked(of.identity);
    fresh.address = by_identity ? config::ip16{} : limit::masked(of.client, 64);
    fresh.is_unix = !by_identity && of.is_unix;
    fresh.came = now;
    fresh.made = {};
  }
  in.weights[at] += 1;
  sums& made = in.entries[at].made;
  made.requests += 1;
  made.refused += of.refused ? 1 : 0;
  made.bytes_in += static_cast<double>(of.bytes_in);
  made.bytes_out += static_cast<double>(of.bytes_out);
}

std::vector<caller_row> top_callers::rates(mono_time now) const {
  std::vector<caller_row> rows;
  for (const set& in : sets_) {
    const std::int64_t passed = std::max<std::int64_t>(period_of(now) - in.period, 0);
    for (std::size_t i = 0; i < ways; ++i) {
      const entry& one = in.entries[i];
      if (in.tags[i] == 0 || halved(one.made.requests, passed) < forgotten_below) continue;
      // Who came just now is not said to ask a thousand times a second.
      const double seconds = std::max(seconds_between(one.came, now), 1.0);
      const auto rate = [&](double sum) { return halved(sum, passed) / seconds; };
      rows.push_back({.identity = std::string(one.who.view()),
                      .address = one.address,
                      .is_unix = one.is_unix,
                      .requests = rate(one.made.requests),
                      .refused = rate(one.made.refused),
                      .bytes_in = rate(one.made.bytes_in),
                      .bytes_out = rate(one.made.bytes_out)});
    }
  }
  return rows;
}

}  // namespace rw::gateway
