// What route::table::match() costs, with few routes and with many.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "route/table.h"

namespace {

using rw::config::route;
using rw::route::table;

// Routes of the usual shape: a prefix of two segments for every service.
std::vector<route> services(std::size_t count) {
  std::vector<route> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i].path_prefix = "/api/service-" + std::to_string(i);
  return out;
}

// One host for each tenant, all with the same paths.
std::vector<route> tenants(std::size_t count) {
  std::vector<route> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i].hosts = {"tenant-" + std::to_string(i) + ".example"};
    out[i].path_prefix = "/v1";
    out[i].methods = {"GET", "POST"};
  }
  return out;
}

// Asks for one route after another, so that the caches see what a mixed load shows them.
void match_services(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<route> routes = services(count);
  const table all(routes);
  std::vector<std::string> paths;
  for (const route& one : routes) paths.push_back(one.path_prefix + "/items/42");
  std::size_t i = 0;
  for (auto _ : state) {
    i = (i + 7919) % count;
    benchmark::DoNotOptimize(all.match("api.example:8443", paths[i], "GET"));
  }
}

void match_tenants(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<route> routes = tenants(count);
  const table all(routes);
  std::vector<std::string> hosts;
  for (const route& one : routes) hosts.push_back(one.hosts[0]);
  std::size_t i = 0;
  for (auto _ : state) {
    i = (i + 7919) % count;
    benchmark::DoNotOptimize(all.match(hosts[i], "/v1/chat/completions", "POST"));
  }
}

// What an attacker sends: nothing that any route knows, as long as the limits allow.
void match_nothing(benchmark::State& state) {
  const std::vector<route> routes = services(static_cast<std::size_t>(state.range(0)));
  const table all(routes);
  std::string path;
  while (path.size() < 8000) path += "/a";
  for (auto _ : state) benchmark::DoNotOptimize(all.match("api.example", path, "GET"));
}

BENCHMARK(match_services)->Arg(10)->Arg(10'000);
BENCHMARK(match_tenants)->Arg(10)->Arg(10'000);
BENCHMARK(match_nothing)->Arg(10'000);

}  // namespace

BENCHMARK_MAIN();
