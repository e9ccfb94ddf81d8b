// What one worker has counted. Written by its thread alone with plain relaxed stores, read by the
// control thread at any time: a value may be a moment old, never torn.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/country.h"
#include "observe/deadline.h"
#include "observe/names.h"

namespace rw::observe {

enum class counter : std::uint8_t {
  connections_accepted,
  connections_closed,
  connections_handed_over,  // to another worker, which counts them as accepted
  connections_refused,      // over max_connections, or while draining
  connections_gave_way,     // closed for somebody who came: max_connections was reached
  accept_exhausted,         // no descriptor or memory left
  bans_made,                // by failures
  banned_connections,       // closed at once: their client was
  banned_requests,          // answered 403, likewise
  handshakes_tls12,         // full ones
  handshakes_tls13,
  handshakes_tls12_resumed,
  handshakes_tls13_resumed,
  handshakes_failed,
  kernel_tls,  // connections whose records the kernel makes
  requests,    // answered, or given up by their client
  request_bytes,
  response_bytes,
  retries,
  retries_refused,  // by the budget
  upstream_opened,
  upstream_reused,
  token_cache_hits,
  token_cache_misses,
  ring_submissions,
  ring_completions,
  ring_no_buffers,
  ring_overflows,
  buffers_from_heap,
  connection_bytes,  // held now by frames and TLS, idle connections' for the most part
  redis_state,       // now, of this worker's client: redis::client::state
  redis_connections,
  redis_unreachable,  // no connection, or no TLS
  redis_disconnects,  // by the server, or given up here
  redis_questions,
  redis_sends,      // each of all questions of a turn
  redis_timeouts,   // questions not answered in time
  redis_errors,     // answered with an error
  redis_garbage,    // connections that said what is no answer
  redis_overflows,  // questions not taken: too many waited
  redis_lost,       // decisions made by `on_loss`
  end
};

// Single-writer: add() is a load and a store, not a locked instruction.
class cell {
 public:
  void add(std::uint64_t n = 1) noexcept { set(get() + n); }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// How often each deadline has passed.
class deadline_counts {
 public:
  void add(deadline which) noexcept { at_[static_cast<std::size_t>(which)].add(); }
  std::uint64_t get(deadline which) const noexcept {
    return at_[static_cast<std::size_t>(which)].get();
  }

 private:
  std::array<cell, static_cast<std::size_t>(deadline::end)> at_;
};

// Durations, for Prometheus: bucket i holds what took at most 64 us x 2^i and more than the
// bucket before it, the last one the rest: from 64 us to 67 s, each bound twice the one before.
class histogram {
 public:
  static constexpr std::size_t buckets = 22;
  static constexpr std::uint64_t first_bound_us = 64;

  void record(nanoseconds took) noexcept;
  std::uint64_t in_bucket(std::size_t i) const noexcept { return bucket_[i].get(); }
  std::uint64_t sum_ns() const noexcept { return sum_ns_.get(); }

 private:
  std::array<cell, buckets> bucket_;
  cell sum_ns_;
};

// One for each id of a table of names, made when its first duration comes: most names have none on
// most workers.
class histograms {
 public:
  histograms() = default;
  ~histograms();
  histograms(const histograms&) = delete;
  histograms& operator=(const histograms&) = delete;

  void record(std::uint32_t id, nanoseconds took);
  // Null: nothing has been recorded for it.
  const histogram* find(std::uint32_t id) const noexcept {
    return of_[id].load(std::memory_order_acquire);
  }

 private:
  std::array<std::atomic<histogram*>, names::capacity> of_{};
};

// Counts by reason: literals of a closed set, kept in the order they first came. Those beyond the
// capacity count as "other".
class reason_table {
 public:
  static constexpr std::size_t capacity = 128;
  // `reason`: a literal. Found by its address first; equal texts are merged when read.
  void add(const char* reason) noexcept;

  struct entry {
    std::atomic<const char*> reason = nullptr;
    cell count;
  };
  const std::array<entry, capacity>& entries() const noexcept { return entries_; }

 private:
  std::array<entry, capacity> entries_;
};

class alignas(128) counters {  // no cache line shared with another worker's
 public:
  static constexpr std::size_t classes = 5;  // 1xx .. 5xx

  struct route_counts {
    std::array<cell, classes> by_class;
  };
  struct upstream_counts {
    cell answered;
    cell failed;
  };
  struct limit_counts {
    cell admitted;
    cell refused;
    cell shadow_refused;  // would have been, by a limit in shadow mode
  };

  void add(counter which, std::uint64_t n = 1) noexcept { at(which).add(n); }
  void set(counter which, std::uint64_t n) noexcept { at(which).set(n); }
  std::uint64_t get(counter which) const noexcept {
    return plain_[static_cast<std::size_t>(which)].get();
  }

  // Ids are of names (names.h).
  route_counts& route(std::uint32_t id) noexcept { return routes_[id]; }
  upstream_counts& upstream(std::uint32_t id) noexcept { return upstreams_[id]; }
  limit_counts& limit(std::uint32_t id) noexcept { return limits_[id]; }
  // Requests, by the country of their clients.
  cell& requests_from(country where) noexcept { return countries_[where.index()]; }
  const cell& requests_from(country where) const noexcept { return countries_[where.index()]; }
  const route_counts& route(std::uint32_t id) const noexcept { return routes_[id]; }
  const upstream_counts& upstream(std::uint32_t id) const noexcept { return upstreams_[id]; }
  const limit_counts& limit(std::uint32_t id) const noexcept { return limits_[id]; }

  histograms durations;     // of requests, by route
  histograms first_bytes;   // of origins' answers, by upstream
  histogram redis_answers;  // from a question to its answer
  reason_table refusals;
  deadline_counts client_deadlines;

 private:
  cell& at(counter which) noexcept { return plain_[static_cast<std::size_t>(which)]; }

  std::array<cell, static_cast<std::size_t>(counter::end)> plain_;
  std::array<route_counts, names::capacity> routes_;
  std::array<upstream_counts, names::capacity> upstreams_;
  std::array<limit_counts, names::capacity> limits_;
  std::array<cell, country::count> countries_;
};

}  // namespace rw::observe
