// What it costs to say what a thread is about, which it does some dozen times for a request.
#include <benchmark/benchmark.h>

#include "base/phase.h"

namespace {

using namespace rw;

void a_scope(benchmark::State& state) {
  for (auto _ : state) {
    const phase_scope about(phase::tls);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(a_scope);

// As decide() has an audit record within, and that a call of the kernel.
void three_within_each_other(benchmark::State& state) {
  for (auto _ : state) {
    const phase_scope outer(phase::decide);
    benchmark::ClobberMemory();
    const phase_scope inner(phase::log);
    benchmark::ClobberMemory();
    const phase_scope innermost(phase::kernel);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(three_within_each_other);

void nothing(benchmark::State& state) {
  for (auto _ : state) benchmark::ClobberMemory();
}
BENCHMARK(nothing);

}  // namespace

BENCHMARK_MAIN();
