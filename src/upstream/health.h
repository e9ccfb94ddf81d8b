// Whether a server gets requests, known to all workers together: what its answers say (ejection),
// what checks say, and what an operator says (drain).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "observe/counters.h"

namespace rw::upstream {

// What people are told; the first one that applies, from the bottom.
enum class standing : std::uint8_t {
  up,
  warming,   // back since less than slow_start: gets fewer than its share
  trying,    // half-open: one request is under way to see whether it is well again
  ejected,   // failed too often in traffic
  down,      // its checks fail
  draining,  // an operator took it out
};
std::string_view name(standing one) noexcept;

// Of one server, by one worker: written by it alone, read by the control thread.
struct alignas(128) server_counts {
  observe::cell under_way;
  observe::cell requests;  // sent to it
  observe::cell failed;    // of those, by its fault
  observe::cell idle;      // connections kept
  observe::deadline_counts deadlines;
  observe::cell tls_full;  // handshakes, certificates and all
  observe::cell tls_resumed;
  observe::cell tls_failed;
  observe::histogram handshakes;  // those that were completed
  observe::histogram first_byte;  // from the request to the first byte of its answer
};

// One server of one upstream. Carried over a reload for as long as it is named there; shared by all
// threads. What requests read here is written only when something changes.
class alignas(128) server_health {
 public:
  explicit server_health(unsigned workers) : counts_(workers) {}
  server_health(const server_health&) = delete;
  server_health& operator=(const server_health&) = delete;

  // Gets requests as any other. One instruction's worth of loads.
  bool usable() const noexcept {
    return traffic_.load(std::memory_order_relaxed) == traffic::in && !out();
  }
  bool drained() const noexcept { return drained_.load(std::memory_order_relaxed); }
  bool down() const noexcept { return down_.load(std::memory_order_relaxed); }
  // 1 for one that is warm, less for one that came back a moment ago.
  double warmth(mono_time now, nanoseconds slow_start) const noexcept;
  standing now(mono_time at, nanoseconds slow_start) const noexcept;
  // A literal; "" when nothing was ever wrong. With it, a status where one was wrong.
  const char* why() const noexcept { return why_.load(std::memory_order_relaxed); }
  std::uint32_t why_status() const noexcept { return why_status_.load(std::memory_order_relaxed); }
  mono_time since() const noexcept { return to_time(since_); }  // of its standing; {}: the start
  mono_time ejected_until() const noexcept { return to_time(ejected_until_); }
  std::uint64_t ejections() const noexcept { return ejections_.load(std::memory_order_relaxed); }

  server_counts& counts(unsigned worker) noexcept { return counts_[worker]; }
  std::span<const server_counts> counts() const noexcept { return counts_; }

 private:
  friend class cluster;
  enum class traffic : std::uint8_t { in, trying, ejected };

  static mono_time to_time(const std::atomic<std::int64_t>& from) noexcept {
    return mono_time{nanoseconds{from.load(std::memory_order_relaxed)}};
  }
  bool out() const noexcept { return drained() || down(); }
  void set(std::atomic<std::int64_t>& at, mono_time to) noexcept {
    at.store(to.time_since_epoch().count(), std::memory_order_relaxed);
  }

  std::atomic<traffic> traffic_ = traffic::in;
  std::atomic<bool> down_ = false;
  std::atomic<bool> drained_ = false;
  // In a row, since the last good one: before a head has come, and within bodies. Apart, so that a
  // server that dies in every body is not taken for well by each of its heads.
  std::atomic<std::uint32_t> failures_ = 0;
  std::atomic<std::uint32_t> cuts_ = 0;
  std::atomic<std::uint32_t> why_status_ = 0;
  std::atomic<const char*> why_ = "";
  std::atomic<std::int64_t> ejected_until_ = 0;
  std::atomic<std::int64_t> warm_since_ = 0;  // when it came back; 0: always was there
  std::atomic<std::int64_t> since_ = 0;
  std::atomic<std::uint64_t> ejections_ = 0;
  std::vector<server_counts> counts_;
};

// What an upstream's servers have in common over all workers and configurations.
struct group {
  std::atomic<std::uint64_t> version = 1;  // grows with every change of a standing
  std::atomic_flag changing;               // one thread at a time takes servers out
  // The configuration in force, as settle() was told. What requests of an older one see ejects
  // nobody: it may not know of servers that are gone by now.
  std::atomic<const void*> in_force = nullptr;
  // Written by every request: not on the line that every request reads.
  alignas(128) std::atomic<std::uint32_t> under_way = 0;
  std::atomic<std::uint32_t> waiting = 0;  // for one of max_requests_in_flight
};

// The servers of one upstream in one configuration. Immutable; what it points to is not. Never more
// than half of them are ejected, and none while nobody else could serve.
class cluster {
 public:
  cluster() = default;
  cluster(std::shared_ptr<group> common, std::vector<std::shared_ptr<server_health>> servers,
          const config::upstream_health& rules)
      : common_(std::move(common)), servers_(std::move(servers)), rules_(&rules) {}

  std::size_t size() const noexcept { return servers_.size(); }
  server_health& at(std::size_t i) const noexcept { return *servers_[i]; }
  const std::shared_ptr<server_health>& share(std::size_t i) const noexcept { return servers_[i]; }
  group& common() const noexcept { return *common_; }
  const std::shared_ptr<group>& share_common() const noexcept { return common_; }
  const config::upstream_health& rules() const noexcept { return *rules_; }
  bool any_usable() const noexcept;

  // ---- what came of a request to server `i`; any worker. `trial`: it was the one that try_again()
  // let through, which ends with exactly one of these.
  void answered(std::size_t i, mono_time now, bool trial) const noexcept {
    server_health& one = at(i);
    if (one.failures_.load(std::memory_order_relaxed) != 0) {
      one.failures_.store(0, std::memory_order_relaxed);
    }
    if (trial) take_back(one, now);
  }
  void completed(std::size_t i) const noexcept {  // the body as well
    server_health& one = at(i);
    if (one.cuts_.load(std::memory_order_relaxed) != 0) {
      one.cuts_.store(0, std::memory_order_relaxed);
    }
  }
  // `why`: a literal; `status` of an answer that counts as a failure, else 0.
  void failed(std::size_t i, const char* why, std::uint32_t status, mono_time now,
              bool trial) const noexcept;
  void cut(std::size_t i, const char* why, mono_time now) const noexcept;
  void abandoned(std::size_t i) const noexcept;  // a trial that says nothing of the server

  // An ejected server whose time is over gets one request: true for the one caller that sends it.
  // One that cannot be sent again elsewhere waits as long once more for somebody else's.
  bool try_again(std::size_t i, mono_time now, bool repeatable) const noexcept;

  // ---- the control thread
  void set_down(std::size_t i, bool down, const char* why, std::uint32_t status,
                mono_time now) const noexcept;
  void set_drained(std::size_t i, bool drained, mono_time now) const noexcept;
  // This is the configuration in force: what held for the servers before need not hold for these.
  void settle(mono_time now) const noexcept;

 private:
  void changed(server_health& one, const char* why, std::uint32_t status,
               mono_time now) const noexcept;
  void eject(server_health& one, const char* why, std::uint32_t status,
             mono_time now) const noexcept;
  void take_back(server_health& one, mono_time now) const noexcept;
  void settle_held(mono_time now) const noexcept;
  void hold() const noexcept;
  void release() const noexcept { common_->changing.clear(std::memory_order_release); }

  std::shared_ptr<group> common_;
  std::vector<std::shared_ptr<server_health>> servers_;
  const config::upstream_health* rules_ = nullptr;
};

}  // namespace rw::upstream
