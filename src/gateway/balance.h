// Which worker serves a connection. The kernel spreads them by a hash, which is lumpy, and knows
// nothing of who is busy; so a worker with more than its share hands on what it accepts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "gateway/waiting_list.h"
#include "io/loop.h"

namespace rw::gateway {

// Client connections of all workers together: so many that their requests can have upstream
// connections, and the process some descriptors of its own.
struct connection_bound {
  std::atomic<std::uint32_t> open = 0;
  std::atomic<std::uint32_t> most = UINT32_MAX;
};

// So many may be open where at most `most` should be: those who make room for others are still
// being closed.
constexpr std::uint64_t with_surplus(std::uint32_t most) noexcept {
  return std::uint64_t{most} + most / 16 + 8;
}

// What a worker lets the others know of itself; on cache lines of its own.
struct alignas(128) worker_load {
  // Its client connections, those on their way to it included: whoever hands one over counts it,
  // so that a burst does not all go to one worker.
  std::atomic<std::uint32_t> clients = 0;
  std::atomic<bool> takes = false;      // false: has not begun, or is draining
  std::atomic<bool> saturated = false;  // its thread has hardly waited in the last second
  // Of its waiting lists, by listener; set before `takes`.
  std::unique_ptr<std::atomic<std::int64_t>[]> waits_since;
  // Set before `takes`; stays until no worker of them all can post to it any more.
  io::loop* loop = nullptr;
};
using worker_loads = std::vector<worker_load>;  // of all workers, by index

// At or above this share of a CPU's time a worker is saturated.
constexpr double saturated_from = 0.9;

// The worker to serve the connection that `own` has just accepted and counted: `own`, or the one
// that has least. Not saturated is less than saturated, whatever the counts. Otherwise `own` keeps
// it while it has at most 1 + 1/16 of the least more than the least: a connection among few is
// much, one among hundreds is not worth the hand-over, and accepting 1,000 on 4 workers ends with
// 16 between the most and the least, which is 6 % of the mean.
std::size_t who_serves(std::span<const worker_load> all, std::size_t own) noexcept;

// The worker whose longest waiting client of `listener` has waited longest of all; `own` when
// nobody waits there.
std::size_t who_makes_room(std::span<const worker_load> all, std::size_t own,
                           std::uint32_t listener) noexcept;

// A connection's place among those that are open: at its listener, in the process, at its worker.
// On its way from one worker to another it holds on to all of them.
struct client_place {
  std::shared_ptr<std::atomic<std::uint32_t>> at_listener;
  std::shared_ptr<connection_bound> in_process;
  std::shared_ptr<worker_loads> loads;
  std::size_t worker = 0;  // who is to serve it
  bool surplus = false;    // one too many: somebody has to give way

  void give_back() const noexcept;
};

// Tells whether a thread was saturated since it was last asked.
class saturation {
 public:
  // `worked`: the CPU time of the thread so far.
  bool since_last(mono_time now, nanoseconds worked) noexcept;

 private:
  mono_time at_;
  nanoseconds worked_{0};
  bool begun_ = false;
};

}  // namespace rw::gateway
