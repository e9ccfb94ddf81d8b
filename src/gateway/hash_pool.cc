#include "gateway/hash_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>
#include <semaphore>
#include <unordered_map>

namespace rw::gateway {
namespace {

constexpr unsigned ring_entries = 8;

config::limit guesses_limit() {
  config::limit made;
  made.name = "guesses at slow keys";
  made.by = {config::limit_key::client_ip};
  made.rate = {hash_pool::guesses_per_minute, std::chrono::minutes{1}};
  made.burst = hash_pool::guesses_burst;
  made.capacity = 16384;
  return made;
}

}  // namespace

void hash_job::run(worker& on) {
  on.hash_done();
  if (!answered) {
    if (waiter != nullptr) waiter->take({});
    return;
  }
  on.learn(answer, right_for);
  if (waiter != nullptr) waiter->take(answer);
}

// Of the threads and of the workers that give them work.
struct hash_pool::shared {
  struct digest_hasher {
    std::size_t operator()(const auth::key_digest& digest) const noexcept {
      std::size_t number = 0;
      std::memcpy(&number, digest.data(), sizeof number);
      return number;
    }
  };
  struct remembered {
    auth::slow_answer what;
    mono_time until;
  };

  ~shared();
  void work();
  hash_job* next();
  void answer(hash_job& one, mono_time now);
  bool recall(hash_job& one, mono_time now);
  void remember(const hash_job& one, mono_time now);

  io::mailbox inbox;
  std::counting_semaphore<> pending{0};
  std::atomic<std::uint32_t> waiting = 0;
  std::atomic<std::uint32_t> waiting_known = 0;
  std::atomic<std::uint64_t> hashes = 0;
  std::atomic<bool> stopping = false;
  std::atomic<unsigned> running = 0;

  std::mutex own;  // of the threads among themselves: a worker would wait for whoever has no CPU
  std::deque<hash_job*> known;
  std::deque<hash_job*> unknown;
  std::unordered_map<auth::key_digest, remembered, digest_hasher> matches;
};

hash_pool::hash_pool(unsigned threads)
    : guesses_(std::vector{guesses_limit()}, 1), shared_(std::make_shared<shared>()) {
  shared_->running = threads;
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([mine = shared_] { mine->work(); });
  }
}

hash_pool::~hash_pool() {
  constexpr std::chrono::milliseconds step{10};
  constexpr unsigned steps = 100;
  shared_->stopping = true;
  shared_->pending.release(static_cast<std::ptrdiff_t>(threads_.size()));
  for (unsigned i = 0; i < steps && shared_->running > 0; ++i) std::this_thread::sleep_for(step);
  const bool ended = shared_->running == 0;
  for (std::thread& one : threads_) ended ? one.join() : one.detach();
}

std::uint64_t hash_pool::hashes() const noexcept {
  return shared_->hashes.load(std::memory_order_relaxed);
}

bool hash_pool::submit(hash_job* one) noexcept {
  std::atomic<std::uint32_t>& count = one->known ? shared_->waiting_known : shared_->waiting;
  const std::size_t most = one->known ? known_queue_max : queue_max;
  if (count.fetch_add(1, std::memory_order_relaxed) >= most) {
    count.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  shared_->inbox.push(one);
  shared_->pending.release();
  return true;
}

limit::key hash_pool::key_of(const config::ip16& client) const noexcept {
  return guesses_.make_key(0, {.client = client});
}

bool hash_pool::charge(limit::key client, mono_time now) const noexcept {
  return guesses_.admit(0, client, now).admitted;
}

void hash_pool::give_back(limit::key client, mono_time now) const noexcept {
  guesses_.give_back({.who = client}, now, now);
}

hash_pool::shared::~shared() {
  for (const auto* list : {&known, &unknown}) {
    for (hash_job* one : *list) delete one;
  }
}

// One for each release of `pending`, but for those of the end.
hash_job* hash_pool::shared::next() {
  const std::scoped_lock lock(own);
  for (io::message* one = inbox.take_all(); one != nullptr;) {
    io::message* const after = one->next;
    auto* job = static_cast<hash_job*>(one);
    (job->known || matches.contains(job->answer.key) ? known : unknown).push_back(job);
    one = after;
  }
  std::deque<hash_job*>& from = known.empty() ? unknown : known;
  if (from.empty()) return nullptr;
  hash_job* const first = from.front();
  from.pop_front();
  return first;
}

// Another worker may have asked a moment ago.
bool hash_pool::shared::recall(hash_job& one, mono_time now) {
  const std::scoped_lock lock(own);
  const auto found = matches.find(one.answer.key);
  if (found == matches.end() || found->second.until <= now) return false;
  if (one.keys->slow_line_of(found->second.what.about) == nullptr) return false;
  one.answer = found->second.what;
  return true;
}

void hash_pool::shared::remember(const hash_job& one, mono_time now) {
  const std::scoped_lock lock(own);
  if (matches.size() >= remembered_max) {
    std::erase_if(matches, [now](const auto& old) { return old.second.until <= now; });
  }
  if (matches.size() < remembered_max) matches[one.answer.key] = {one.answer, now + one.right_for};
}

// All lines, though nobody may wait by then: whoever comes again finds it done.
void hash_pool::shared::answer(hash_job& one, mono_time now) {
  if (recall(one, now)) {
    one.answered = true;
    return;
  }
  if (one.abandoned.load(std::memory_order_relaxed)) return;
  for (const auth::slow_line& line : one.keys->slow_lines()) {
    if (stopping) return;
    hashes.fetch_add(1, std::memory_order_relaxed);
    if (!auth::matches_slow_hash(line.hash, one.key.view())) continue;
    one.answer.matched = true;
    one.answer.about = line.id;
    one.answered = true;
    remember(one, now);
    return;
  }
  one.answer.about = one.keys->slow_id();
  one.answered = true;
}

void hash_pool::shared::work() {
  pthread_setname_np(pthread_self(), "hashes");
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);  // a sandbox may forbid it
  const auto kernel = io::ring::create(ring_entries);
  while (kernel && !stopping) {
    pending.acquire();
    hash_job* const job = next();
    if (job == nullptr) continue;
    answer(*job, (*kernel)->now());
    (job->known ? waiting_known : waiting).fetch_sub(1, std::memory_order_relaxed);
    const std::shared_ptr<hash_inbox> home = std::move(job->from);
    home->answers.push(job);
    (*kernel)->wake(home->ring);
    (*kernel)->wait(mono_time{});  // sends it
    (*kernel)->dispatch();
  }
  running.fetch_sub(1);
}

hash_wait::hash_wait(hash_job& job, const net::stream& client, mono_time deadline) noexcept
    : job_(&job), loop_(client.loop()), client_(client), deadline_(deadline) {
  job.waiter = this;
}

hash_wait::~hash_wait() {
  if (job_ == nullptr) return;
  job_->waiter = nullptr;
  job_->abandoned.store(true, std::memory_order_relaxed);
}

void hash_wait::await_suspend(std::coroutine_handle<> awaiting) noexcept {
  awaiting_ = awaiting;
  loop_.timers().arm(beat_, std::min(deadline_, loop_.now() + step));
}

void hash_wait::take(const auth::slow_answer& what) noexcept {
  job_ = nullptr;
  if (!beat_.armed()) return;  // it is on its way for another reason
  beat_.disarm();
  answer_ = what;
  how_ = what.key == auth::key_digest{} ? outcome::timed_out : outcome::answered;
  loop_.defer(awaiting_);
}

void hash_wait::on_beat(io::timer& timer) { static_cast<beat&>(timer).owner.look(); }

void hash_wait::look() noexcept {
  const bool gone = client_.ended() || client_.failed();
  if (!gone && loop_.now() < deadline_) {
    loop_.timers().arm(beat_, std::min(deadline_, loop_.now() + step));
    return;
  }
  how_ = gone ? outcome::gone : outcome::timed_out;
  loop_.defer(awaiting_);
}

}  // namespace rw::gateway
