// What a request's and a response's head cost, and the pieces around them.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "http/chunked.h"
#include "http/head.h"
#include "http/path.h"
#include "http/serialise.h"

namespace {

using namespace rw::http;

// What wrk sends.
constexpr std::string_view wrk_head = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

constexpr std::string_view api_head =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "Accept: application/json\r\n"
    "Authorization: Bearer rw_app_0123456789abcdefghijABCDEFGHIJ0123456789abc\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 1.30.1\r\n"
    "Content-Length: 1234\r\n\r\n";

constexpr std::string_view browser_head =
    "GET /articles/2024/strict-parsers?utm_source=feed&page=2 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"24\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8\r\n"
    "Referer: https://www.example.com/articles/2024/\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=4f1c2a9be07d4a1c9f3b7e5d2a8c6b10; theme=dark; consent=analytics%3Dno\r\n\r\n";

constexpr std::string_view answer_head =
    "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n";

void parse(benchmark::State& state, std::string_view text) {
  static request_head head;
  const std::string input{text};
  const head_limits limits;
  for (auto _ : state) {
    benchmark::DoNotOptimize(input.data());
    const outcome got = parse_request(input, 0, limits, head);
    if (got.state != progress::complete) state.SkipWithError(got.reason);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
}
BENCHMARK_CAPTURE(parse, wrk, wrk_head);
BENCHMARK_CAPTURE(parse, api, api_head);
BENCHMARK_CAPTURE(parse, browser, browser_head);

void parse_answer(benchmark::State& state) {
  static response_head head;
  const std::string input{answer_head};
  const head_limits limits;
  for (auto _ : state) {
    benchmark::DoNotOptimize(input.data());
    const outcome got = parse_response(input, 0, limits, method::get, head);
    if (got.state != progress::complete) state.SkipWithError(got.reason);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
}
BENCHMARK(parse_answer);

// A head that a bearer token of 7 KiB fills.
void parse_long_value(benchmark::State& state) {
  static request_head head;
  std::string input = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ";
  input.append(7168, 'x').append("\r\n\r\n");
  const head_limits limits;
  for (auto _ : state) {
    benchmark::DoNotOptimize(input.data());
    benchmark::DoNotOptimize(parse_request(input, 0, limits, head));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
}
BENCHMARK(parse_long_value);

void normalise_path(benchmark::State& state, std::string_view text) {
  const std::string path{text};
  char room[1024];
  for (auto _ : state) {
    benchmark::DoNotOptimize(path.data());
    benchmark::DoNotOptimize(normalise(path, {}, room));
  }
}
BENCHMARK_CAPTURE(normalise_path, root, "/");
BENCHMARK_CAPTURE(normalise_path, plain, "/v1/chat/completions");
BENCHMARK_CAPTURE(normalise_path, dots, "/v1/./chat/../chat/%63ompletions");

void write_browser_head(benchmark::State& state) {
  static request_head head;
  parse_request(browser_head, 0, {}, head);
  char room[2048];
  for (auto _ : state) {
    head_writer out{room};
    out.request_line(head.method_text, head.path, head.query);
    for (const field& one : head.fields) {
      if (!one.hop_by_hop) out.field(one.name, one.value);
    }
    out.end();
    benchmark::DoNotOptimize(out.size());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(write_browser_head);

void decode_chunks(benchmark::State& state) {
  std::string body;
  const auto size = static_cast<std::size_t>(state.range(0));
  for (int i = 0; i < 16; ++i) {
    body.append(make_chunk_head(size).view()).append(size, 'x').append(chunk_end);
  }
  body.append(last_chunk_end);
  for (auto _ : state) {
    chunked_decoder decoder;
    for (std::string_view left = body; decoder.state() == chunked_decoder::status::reading;) {
      const auto piece = decoder.feed(left);
      benchmark::DoNotOptimize(piece.data.data());
      left.remove_prefix(piece.consumed);
    }
  }
  state.SetItemsProcessed(state.iterations() * 17);
}
BENCHMARK(decode_chunks)->Arg(64)->Arg(16384);

void format_a_date(benchmark::State& state) {
  rw::wall_time now{std::chrono::seconds{784111777}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(now);
    benchmark::DoNotOptimize(format_date(now));
  }
}
BENCHMARK(format_a_date);

}  // namespace

BENCHMARK_MAIN();
