#include "control/memory_bound.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "auth/replay_table.h"
#include "auth/slow_cache.h"
#include "auth/token_cache.h"
#include "control/shared_words.h"
#include "control/workers.h"
#include "gateway/audit.h"
#include "gateway/balance.h"
#include "gateway/body.h"
#include "gateway/exchange.h"
#include "gateway/h2_connection.h"
#include "gateway/top_callers.h"
#include "io/buffer_pool.h"
#include "limit/ban_table.h"
#include "limit/set.h"
#include "net/stream.h"
#include "redis/client.h"

namespace rw::control {
namespace {

constexpr std::uint64_t buffer = io::buffer_pool::buffer_bytes;
// Coroutine frames of a connection with everything under way, its stream among them; the frames of
// an idle one are 1.5 KiB.
constexpr std::uint64_t client_frames = 12U << 10U;
// wolfSSL's state of a connection after its handshake, with room to spare: 3.3 KB were measured.
// During a handshake it is more, but then there is no head and no body.
constexpr std::uint64_t tls_state = 8U << 10U;
// What a stream may have received and not read, beside its input: four, and what one receive brings
// before it is stopped (net/stream.cc).
constexpr std::uint64_t pending_chunks = 8;

// nghttp2's state of a connection and its HPACK tables, and what is being sent.
constexpr std::uint64_t h2_session = 64U << 10U;

// What the allocator makes of a size: its classes are an eighth apart, and pages are shared.
constexpr std::uint64_t allocated(std::uint64_t bytes) noexcept { return bytes + bytes / 4; }

// A head that grows is moved to twice the room until it fits, and what came with its end too.
std::uint64_t head_room(std::uint64_t head_bytes) noexcept {
  std::uint64_t room = buffer;
  while (room < head_bytes + buffer) room *= 2;
  return room;
}

bool serves_h2(const config::listener& one) {
  return std::ranges::find(one.protocols, "h2") != one.protocols.end();
}

// A request and its answer.
constexpr std::uint64_t of_each_exchange =
    allocated(sizeof(gateway::exchange)) + 2 * allocated(http::field_list::grown_bytes);

// A head and a window's worth of a body, the last buffer of it not full.
std::uint64_t of_each_stream(const config::configuration& of) {
  std::uint64_t head = 0;
  for (const config::listener& one : of.listeners) {
    if (serves_h2(one)) head = std::max(head, head_room(one.limits.head_bytes));
  }
  if (head == 0) return 0;
  return client_frames + of_each_exchange + allocated(head) +
         allocated(http::receive_window::first + buffer);
}

bool speaks_h2(const config::upstream& one) noexcept {
  return one.protocol == config::upstream_protocol::h2;
}

std::uint64_t of_each_client(const config::configuration& of) {
  std::uint64_t head = 0;
  bool tls = false;
  bool h2 = false;
  for (const config::listener& one : of.listeners) {
    head = std::max(head, head_room(one.limits.head_bytes));
    tls = tls || one.has_tls;
    h2 = h2 || serves_h2(one);
  }
  return client_frames + (tls ? tls_state : 0) + (h2 ? h2_session : 0) + of_each_exchange +
         allocated(head) + (1 + pending_chunks) * allocated(buffer);
}

std::uint64_t of_each_worker(const config::configuration& of) {
  const auth::token_cache_limits tokens;
  // In memory of the stream, and as much again as records where it goes out by TLS.
  constexpr std::uint64_t long_bodies =
      std::uint64_t{2} * gateway::bulk_receive::per_worker_max * allocated(net::stream::bulk_bytes);
  std::uint64_t sum = of.server.buffers_bytes + long_bodies + allocated(tokens.bytes) +
                      tokens.entries * 64 + auth::slow_cache::entries * 128 +
                      gateway::top_callers::bytes();
  if (of.log.access_path != "off") sum += access_queue_bytes;
  if (!of.log.audit.path.empty()) sum += gateway::auditor::queue_bytes;
  // What windows have grown by: gateway::worker::h2_windows().
  if (std::ranges::any_of(of.listeners, serves_h2) ||
      std::ranges::any_of(of.upstreams, speaks_h2)) {
    sum += allocated(of.server.buffers_bytes);
  }
  if (of.redis.present) sum += allocated(2 * redis::client::unsent_bytes_max);  // to and fro
  return sum;
}

std::uint64_t of_tables(const config::configuration& of) {
  std::uint64_t entries = 0;
  for (const config::limit& one : of.limits) {
    const bool leased = one.shared == config::limit_sharing::leased;
    entries += std::uint64_t{one.capacity} *
               ((one.rate.count != 0) + (one.concurrent != 0) + (leased ? 1 : 0));
  }
  for (const config::listener& one : of.listeners) {
    const unsigned kinds =
        (one.max_connections_per_client != 0) + (one.handshakes_per_client.count != 0);
    entries += std::uint64_t{config::limit{}.capacity} * kinds;
  }
  if (of.ban.present) entries += 2 * std::uint64_t{limit::ban_table::capacity};
  std::uint64_t sum = entries * sizeof(limit::cell);
  if (of.redis.present) sum += shared_words::most * shared_words::bytes_each;
  if (std::ranges::any_of(of.jwt, &config::jwt_issuer::replay_by_jti)) {
    sum += auth::replay_places * 16;
  }
  return sum;
}

}  // namespace

memory_bound bound_memory(const config::configuration& of, unsigned workers, std::uint32_t clients,
                          std::uint64_t resident) {
  memory_bound made{.at_start = resident,
                    .workers = workers * of_each_worker(of),
                    .tables = of_tables(of),
                    .each_client = of_each_client(of)};
  std::uint64_t wanted = 0;
  for (const config::listener& one : of.listeners) wanted += one.max_connections;
  made.clients =
      gateway::with_surplus(static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, clients)));
  made.each_stream = of_each_stream(of);
  if (made.each_stream != 0)
    made.streams = std::uint64_t{workers} * gateway::h2_streams_of_worker(of, workers);
  for (const config::upstream& one : of.upstreams) {
    made.requests += one.max_requests_in_flight;
    made.kept += std::uint64_t{one.idle_per_worker} * workers * one.servers.size();
  }
  made.requests = std::min<std::uint64_t>(made.requests, made.clients + made.streams);
  made.each_kept = 1024 + tls_state;
  made.each_request = made.each_kept + (1 + pending_chunks) * allocated(buffer);
  // What of its body may have to be sent again; what its stream holds is no more than a connection.
  if (std::ranges::any_of(of.upstreams, speaks_h2)) made.each_request += allocated(buffer);
  return made;
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return statm ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::string describe(const memory_bound& of) {
  const auto mebibytes = [](std::uint64_t bytes) { return (bytes + (1U << 20U) - 1) >> 20U; };
  return fmt::format(
      "memory: at most {} MiB whatever clients do: {} now, {} of the workers, {} of tables, {} for "
      "{} clients, {} for {} streams of HTTP/2, {} for {} requests at origins, {} for connections "
      "that are kept",
      mebibytes(of.total()), mebibytes(of.at_start), mebibytes(of.workers), mebibytes(of.tables),
      mebibytes(of.clients * of.each_client), of.clients, mebibytes(of.streams * of.each_stream),
      of.streams, mebibytes(of.requests * of.each_request), of.requests,
      mebibytes(of.kept * of.each_kept));
}

}  // namespace rw::control
