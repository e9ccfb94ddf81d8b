// Threads for what is slow on purpose: presented keys held against bcrypt and argon2id lines. They
// run when nothing else wants the CPU (SCHED_IDLE) and no worker ever waits for a lock of theirs.
#pragma once

#include <sched.h>

#include <atomic>
#include <coroutine>
#include <memory>
#include <thread>
#include <vector>

#include "auth/key_store.h"
#include "auth/slow_cache.h"
#include "base/secret.h"
#include "gateway/guess_budget.h"
#include "gateway/worker.h"
#include "io/loop.h"
#include "limit/limiter.h"

namespace rw::gateway {

// Where a worker gets its answers. It may end before the pool has given all of them.
struct hash_inbox {
  io::mailbox answers;
  int ring = -1;  // that is woken
};

// One key to be held against the slow lines of one store. Made by a worker, answered by the pool,
// and back at the worker as a message, which deletes it.
struct hash_job : command {
  hash_job(std::shared_ptr<hash_inbox> home, std::shared_ptr<const auth::key_store> lines,
           std::string_view k, const auth::key_digest& digest, nanoseconds time, bool was_right)
      : from(std::move(home)), keys(std::move(lines)), key(k), right_for(time), known(was_right) {
    answer.key = digest;
  }
  void run(worker& on) override;

  std::shared_ptr<hash_inbox> from;
  std::shared_ptr<const auth::key_store> keys;
  secret key;
  nanoseconds right_for;
  bool known;                           // has matched before: goes first
  std::atomic<bool> abandoned = false;  // nobody waits any more
  std::size_t lines_done = 0;           // of `keys`' slow lines
  nanoseconds spent{0};                 // of CPU time, on those
  bool answered = false;                // else the gate is going down
  auth::slow_answer answer;
  class hash_wait* waiter = nullptr;  // of the worker
};

class hash_pool {
 public:
  static constexpr std::size_t queue_max = 64;         // keys that nobody knows
  static constexpr std::size_t known_queue_max = 256;  // those that have matched, besides
  static constexpr std::size_t remembered_max = 4096;  // matches, over all workers

  // `threads` of them. Where one gets no ring, its part is not done. `guesses_at_once`: CPU time
  // that keys which match nothing may take before they are held to their part of the threads' time.
  // `policy`: of sched(7).
  explicit hash_pool(unsigned threads, nanoseconds guesses_at_once = guess_budget::burst,
                     int policy = SCHED_IDLE);
  // Waits for a thread that is hashing, but not for long: on a machine without idle time one hash
  // can take minutes. Threads keep what they need and end by themselves.
  ~hash_pool();
  // Takes the threads out of SCHED_IDLE where that is allowed (root, or RLIMIT_NICE). Being gone
  // takes CPU time as well: as idle's they could lack it for many seconds, and neither joining nor
  // the end of the process is over before.
  void hurry() noexcept;
  hash_pool(const hash_pool&) = delete;
  hash_pool& operator=(const hash_pool&) = delete;

  const auth::digest_secret& secret() const noexcept { return secret_; }

  // Any worker. False: as many wait as may, the job is still the caller's.
  bool submit(hash_job* one) noexcept;

  // What an address may cost: a bucket of guesses that did not match.
  static constexpr std::uint64_t guesses_burst = 20;
  static constexpr std::uint64_t guesses_per_minute = 30;
  limit::key key_of(const config::ip16& client) const noexcept;
  bool charge(limit::key client, mono_time now) const noexcept;
  void give_back(limit::key client, mono_time now) const noexcept;

  // Comparisons made.
  std::uint64_t hashes() const noexcept;

 private:
  struct shared;

  auth::digest_secret secret_ = auth::make_digest_secret();
  limit::limiter guesses_;
  std::shared_ptr<shared> shared_;
  std::vector<std::thread> threads_;
};

// `co_await hash_wait{...}`: until the job is answered, `deadline` has passed or the client has
// gone, which is noticed within `step`. The job was submitted.
class hash_wait {
 public:
  static constexpr std::chrono::milliseconds step{50};
  enum class outcome : std::uint8_t { answered, timed_out, gone };

  hash_wait(hash_job& job, const net::stream& client, mono_time deadline) noexcept;
  ~hash_wait();
  hash_wait(const hash_wait&) = delete;
  hash_wait& operator=(const hash_wait&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept;
  outcome await_resume() const noexcept { return how_; }

  // The worker's thread, once: the job has come back.
  void take(const auth::slow_answer& what) noexcept;
  const auth::slow_answer& answer() const noexcept { return answer_; }

 private:
  struct beat : io::timer {
    explicit beat(hash_wait& of) noexcept : timer(&on_beat), owner(of) {}
    hash_wait& owner;
  };
  static void on_beat(io::timer& timer);
  void look() noexcept;

  hash_job* job_;  // null once it has come back
  io::loop& loop_;
  const net::stream& client_;
  mono_time deadline_;
  std::coroutine_handle<> awaiting_;
  auth::slow_answer answer_;
  outcome how_ = outcome::timed_out;
  beat beat_{*this};
};

}  // namespace rw::gateway
