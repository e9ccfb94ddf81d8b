// The worker threads: started, told things, waited for.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/phase.h"
#include "gateway/hash_pool.h"
#include "gateway/question.h"
#include "gateway/snapshot.h"
#include "gateway/worker.h"
#include "io/loop.h"
#include "net/listening_socket.h"
#include "observe/counters.h"
#include "observe/log.h"
#include "observe/log_queue.h"

namespace rw::control {

// How many workers `server.workers` asks for: 0 is one per CPU this process may run on.
unsigned worker_count(unsigned configured);

// Of lines for the access log, of each worker.
inline constexpr std::size_t access_queue_bytes = 4U << 20U;

// Which logs workers write to.
struct log_choice {
  bool access = false;
  bool audit = false;
};

class workers {
 public:
  // Starts them all and waits until every one has its ring. `sockets`: one per listener, in order.
  // `clients_max`: connections over all workers and listeners.
  // Errors: what io::ring::create says, of the first that failed; then none is running.
  static result<std::unique_ptr<workers>> start(
      unsigned count, const std::shared_ptr<const gateway::snapshot>& state,
      const std::shared_ptr<const auth::revocation_list>& revoked,
      const std::shared_ptr<limit::ban_table>& bans,
      const std::vector<net::listening_sockets>& sockets, log_choice logs,
      std::uint32_t clients_max, io::loop& control);
  ~workers();  // joins: drain() first
  workers(const workers&) = delete;
  workers& operator=(const workers&) = delete;

  // Any thread. Who is in already stays.
  void bound_clients(std::uint32_t most) noexcept {
    clients_->most.store(most, std::memory_order_relaxed);
  }
  // ---- from the control thread, by way of its ring; what comes after a worker's end is for nobody
  void adopt_keys(io::ring& from, const std::shared_ptr<const auth::snapshot>& keys);
  void keys_settled(io::ring& from, const std::shared_ptr<const gateway::key_source>& of);
  void adopt(io::ring& from, const std::shared_ptr<const gateway::snapshot>& state);
  void revoke(io::ring& from, const std::shared_ptr<const auth::revocation_list>& list);
  void drain(io::ring& from, nanoseconds at_most, bool hurried = true);  // worker::drain
  // Asks each for a sign of life, by a message that wakes it; whether all have given it since they
  // were asked. A worker that owes an answer is not asked again. Not after drain().
  void ask(io::ring& from);
  bool answered() const noexcept;
  // Names each that owes an answer, and has it write its stack to standard error as soon as it can.
  void report_silent(nanoseconds since, const observe::log& log) const;

  // Each answers by a message, for as long as this thread turns its loop. Not after drain().
  void put(io::ring& from, const std::shared_ptr<const gateway::question>& what);

  unsigned running() const noexcept { return running_.load(std::memory_order_acquire); }
  std::uint64_t key_hashes() const noexcept { return hashes_->hashes(); }
  // Before the process ends without stopping them: see hash_pool.
  void hurry_hashes() noexcept { hashes_->hurry(); }
  std::vector<const observe::counters*> counters() const;
  // That each thread has used so far; costs the workers nothing. 0 of one that has ended.
  std::vector<nanoseconds> cpu_time() const;
  // What a sampler needs of each thread, for as long as these live.
  struct sampled {
    pid_t thread = 0;      // as the kernel calls it
    clockid_t clock = -1;  // of its CPU time; -1: it has ended
    const phase_samples* samples = nullptr;
  };
  std::vector<sampled> sampled_threads() const;
  std::vector<observe::log_queue*> queues() const;  // of the access log
  std::vector<observe::log_queue*> audit_queues() const;

 private:
  struct one;
  workers() = default;
  void run(one& self, gateway::worker_parts parts);

  std::vector<std::unique_ptr<one>> all_;
  std::shared_ptr<gateway::hash_pool> hashes_;
  std::shared_ptr<gateway::connection_bound> clients_ =
      std::make_shared<gateway::connection_bound>();
  std::atomic<unsigned> running_ = 0;
  // Workers, which may still post to each other, and whoever has this, who may post to them.
  std::optional<std::latch> posting_;
};

}  // namespace rw::control
