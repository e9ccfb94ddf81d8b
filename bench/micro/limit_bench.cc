// What one rate-limit decision costs: alone, and while another core asks too.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "limit/headers.h"
#include "limit/limiter.h"

namespace {

using namespace rw;
using namespace std::chrono_literals;

config::limit limit_of(std::string name, config::limit_key by) {
  return {.name = std::move(name),
          .by = {by},
          .rate = {.count = 1'000'000'000, .per = 1s},
          .burst = 60'000'000'000};
}

const limit::limiter& limits() {
  static const limit::limiter made = [] {
    const std::array all = {limit_of("per-ip", config::limit_key::client_ip),
                            limit_of("per-key", config::limit_key::identity)};
    return limit::limiter(all, 2);
  }();
  return made;
}

limit::caller caller(std::uint8_t last) {
  limit::caller who{.identity = "rw_alice", .route = 3};
  who.client = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last};
  return who;
}

// Runs share the tables, so their clocks must go on from each other. 10 ns a decision at 1 ns a
// request: nobody is refused.
mono_time start() { return std::chrono::steady_clock::now(); }

void must_admit(benchmark::State& state, const limit::decision& made) {
  if (!made.admitted) state.SkipWithError("refused");
}

void admit(benchmark::State& state, bool same_key) {
  const auto last = static_cast<std::uint8_t>(same_key ? 1 : 1 + state.thread_index());
  const limit::key who = limits().make_key(0, caller(last));
  mono_time now = start();
  for (auto _ : state) {
    now += 10ns;
    must_admit(state, limits().admit(0, who, now));
  }
}

void admit_alone(benchmark::State& state) { admit(state, true); }
void admit_same_key(benchmark::State& state) { admit(state, true); }
void admit_different_keys(benchmark::State& state) { admit(state, false); }

void refuse(benchmark::State& state) {
  const config::limit one{.name = "tight", .rate = {.count = 1, .per = 1h}};
  const limit::limiter tight(std::span(&one, 1), 1);
  const limit::key who = tight.make_key(0, caller(1));
  for (auto _ : state) benchmark::DoNotOptimize(tight.admit(0, who, mono_time{1s}));
}

void admit_by_address_and_identity(benchmark::State& state) {
  const std::array demands = {limit::demand{0, limits().make_key(0, caller(1))},
                              limit::demand{1, limits().make_key(1, caller(1))}};
  std::array<limit::decision, 2> made;
  mono_time now = start();
  for (auto _ : state) {
    now += 10ns;
    if (limits().admit_all(demands, now, made)) state.SkipWithError("refused");
  }
}

// 100,000 callers in turn: the entries come from beyond the first cache.
void admit_many_callers(benchmark::State& state) {
  std::vector<limit::key> keys;
  for (std::uint64_t i = 1; i <= 100'000; ++i) keys.push_back({i * 0x9e3779b97f4a7c15U});
  mono_time now = start();
  std::size_t next = 0;
  for (auto _ : state) {
    now += 10ns;
    must_admit(state, limits().admit(0, keys[next], now));
    if (++next == keys.size()) next = 0;
  }
}

// Every request a new key: each is inserted, and evicts once the table is full.
void admit_new_callers(benchmark::State& state) {
  std::uint64_t n = 0;
  mono_time now = start();
  for (auto _ : state) {
    now += 10ns;
    must_admit(state, limits().admit(0, {++n * 0x9e3779b97f4a7c15U}, now));
  }
}

// The time of each decision by itself, the clock's part included: of `range` addresses in turn, all
// of which have been seen before. With ten million most entries have given way to others.
void decisions_one_by_one(benchmark::State& state) {
  const auto addresses = static_cast<std::uint64_t>(state.range(0));
  const config::limit one{.name = "per-ip", .rate = {.count = 10, .per = 1s}, .burst = 20};
  const limit::limiter per_address(std::span(&one, 1), 2);
  std::vector<std::uint32_t> taken;
  taken.reserve(static_cast<std::size_t>(state.max_iterations));
  const auto decide = [&](std::uint64_t n, mono_time now) {
    return per_address.admit(0, {n * 0x9e3779b97f4a7c15U | 1U}, now);
  };
  const mono_time began = start();
  for (std::uint64_t n = 1; n <= addresses; ++n) decide(n, began);
  std::uint64_t n = 0;
  for (auto _ : state) {
    n = n % addresses + 1;
    const mono_time before = start();
    benchmark::DoNotOptimize(decide(n, before));
    const nanoseconds spent = start() - before;
    taken.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(spent.count(), UINT32_MAX)));
  }
  const auto percentile = [&](double part) {
    const auto at =
        taken.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(taken.size() - 1) * part);
    std::nth_element(taken.begin(), at, taken.end());
    return static_cast<double>(*at);
  };
  state.counters["p50_ns"] = percentile(0.5);
  state.counters["p99_ns"] = percentile(0.99);
}

void key_of_an_address(benchmark::State& state) {
  const limit::caller who = caller(1);
  for (auto _ : state) benchmark::DoNotOptimize(limits().make_key(0, who));
}

void write_fields(benchmark::State& state) {
  const limit::field_item item{.name = "per-ip",
                               .pace = limits().pace_of(0),
                               .decision = {.limit = 20, .remaining = 5, .reset = 100ms}};
  std::array<char, limit::field_item_bytes_max> out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(limit::write_policy(std::span(&item, 1), out));
    benchmark::DoNotOptimize(limit::write_state(std::span(&item, 1), out));
  }
}

BENCHMARK(admit_alone);
BENCHMARK(admit_same_key)->Threads(2);
BENCHMARK(admit_different_keys)->Threads(2);
BENCHMARK(refuse);
BENCHMARK(admit_by_address_and_identity);
BENCHMARK(admit_many_callers);
BENCHMARK(admit_new_callers);
BENCHMARK(decisions_one_by_one)
    ->Arg(100'000)
    ->Arg(262'144)
    ->Arg(10'000'000)
    ->Iterations(10'000'000);
BENCHMARK(key_of_an_address);
BENCHMARK(write_fields);

}  // namespace

BENCHMARK_MAIN();
