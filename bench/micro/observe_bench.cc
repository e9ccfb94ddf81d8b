// What a request pays for being written down and counted.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "observe/access_line.h"
#include "observe/counters.h"
#include "observe/log_queue.h"

namespace {

using namespace rw;
using namespace rw::observe;
using namespace std::chrono_literals;

access_record example(std::string_view query) {
  access_record r;
  r.at = wall_time{1'795'458'371s + 123'456'789ns};
  r.request_id = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
  r.client = "192.0.2.7";
  r.identity = "rw_alice";
  r.route = "api";
  r.upstream = "origin";
  r.method = "POST";
  r.host = "api.example.org";
  r.path = "/v1/chat/completions";
  r.query = query;
  r.protocol = "HTTP/1.1";
  r.tls = "TLSv1.3";
  r.user_agent = "python-httpx/0.27";
  r.status = 200;
  r.attempts = 1;
  r.bytes_in = 812;
  r.bytes_out = 34567;
  r.head = 10us;
  r.decide = 2us;
  r.connect = 30us;
  r.first_byte = 1500us;
  r.total = 2ms;
  return r;
}

void line(benchmark::State& state, access_format format, std::string_view query) {
  const std::array<std::string, 3> redact = {"?token", "?access_token", "?api_key"};
  access_formatter formatter(format, redact);
  access_record r = example(query);
  std::vector<char> out(formatter.bytes_max(r));
  for (auto _ : state) {
    r.at += 10us;
    benchmark::DoNotOptimize(formatter.write(r, out));
    benchmark::ClobberMemory();
  }
}

void json(benchmark::State& state) { line(state, access_format::json, ""); }
void json_with_a_secret(benchmark::State& state) {
  line(state, access_format::json, "?model=a&stream=true&token=abcdef");
}
void combined(benchmark::State& state) { line(state, access_format::combined, ""); }

// Formatting straight into the queue, emptied by the same thread.
void json_into_the_queue(benchmark::State& state) {
  log_queue queue(1U << 20U);
  access_formatter formatter(access_format::json, {});
  access_record r = example("");
  for (auto _ : state) {
    r.at += 10us;
    const std::span<char> room = queue.reserve(formatter.bytes_max(r));
    queue.commit(formatter.write(r, room));
    queue.release(queue.readable().size());
  }
}

void count_a_request(benchmark::State& state) {
  const auto block = std::make_unique<counters>();
  nanoseconds took = 100us;
  for (auto _ : state) {
    block->route(3).by_class[1].add();
    block->add(counter::request_bytes, 812);
    block->add(counter::response_bytes, 34567);
    block->durations.record(3, took);
    took += 1us;
    benchmark::ClobberMemory();
  }
}

BENCHMARK(json);
BENCHMARK(json_with_a_secret);
BENCHMARK(combined);
BENCHMARK(json_into_the_queue);
BENCHMARK(count_a_request);

}  // namespace

BENCHMARK_MAIN();
