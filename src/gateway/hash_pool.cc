#include "gateway/hash_pool.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <latch>
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

  shared(unsigned threads, nanoseconds guesses_at_once) noexcept
      : begun(threads), running(threads), budget(threads, guesses_at_once) {}
  ~shared();
  void work(int policy);
  hash_job* next(mono_time now, mono_time& open_from);
  std::deque<hash_job*>& line_for(const hash_job& one);
  bool advance(hash_job& one, const io::ring& kernel);
  void settle(hash_job& one, nanoseconds spent, mono_time now);
  void put_back(hash_job& one);
  bool recall(hash_job& one, mono_time now);
  void remember(const hash_job& one, mono_time now);

  io::mailbox inbox;
  std::counting_semaphore<> pending{0};  // one for each job that came
  std::atomic<std::uint32_t> waiting = 0;
  std::atomic<std::uint32_t> waiting_known = 0;
  std::atomic<std::uint64_t> hashes = 0;
  std::atomic<bool> stopping = false;
  std::latch begun;  // each has its ring: none comes to it late, when another's is gone already
  std::atomic<unsigned> running;

  std::mutex own;  // of the threads among themselves: a worker would wait for whoever has no CPU
  std::deque<hash_job*> known;
  std::deque<hash_job*> unknown;
  std::unordered_map<auth::key_digest, remembered, digest_hasher> matches;
  guess_budget budget;
};

hash_pool::hash_pool(unsigned threads, nanoseconds guesses_at_once, int policy)
    : guesses_(std::vector{guesses_limit()}, 1),
      shared_(std::make_shared<shared>(threads, guesses_at_once)) {
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([mine = shared_, policy] { mine->work(policy); });
  }
  shared_->begun.wait();
}

void hash_pool::hurry() noexcept {
  const sched_param none{};
  for (std::thread& one : threads_) {
    pthread_setschedparam(one.native_handle(), SCHED_OTHER, &none);
  }
}

hash_pool::~hash_pool() {
  constexpr std::chrono::milliseconds step{10};
  constexpr unsigned steps = 100;
  shared_->stopping = true;
  shared_->pending.release(static_cast<std::ptrdiff_t>(threads_.size()));
  hurry();
  for (unsigned i = 0; i < steps && shared_->running > 0; ++i) std::this_thread::sleep_for(step);
  for (std::thread& one : threads_) one.detach();
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

std::deque<hash_job*>& hash_pool::shared::line_for(const hash_job& one) {
  return one.known || matches.contains(one.answer.key) ? known : unknown;
}

// Null: nothing to do until one comes, or until `open_from` where that is not never.
hash_job* hash_pool::shared::next(mono_time now, mono_time& open_from) {
  const std::scoped_lock lock(own);
  for (io::message* one = inbox.take_all(); one != nullptr;) {
    io::message* const after = one->next;
    auto* job = static_cast<hash_job*>(one);
    line_for(*job).push_back(job);
    one = after;
  }
  open_from = unknown.empty() ? mono_time::max() : budget.open_from();
  if (known.empty() && open_from > now) return nullptr;
  std::deque<hash_job*>& from = known.empty() ? unknown : known;
  hash_job* const first = from.front();
  from.pop_front();
  return first;
}

// Between two of its lines: whoever has matched before goes first.
void hash_pool::shared::put_back(hash_job& one) {
  const std::scoped_lock lock(own);
  line_for(one).push_front(&one);
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
  if (matches.size() >= remembered_max) {
    std::erase_if(matches, [now](const auto& old) { return old.second.until <= now; });
  }
  if (matches.size() < remembered_max) matches[one.answer.key] = {one.answer, now + one.right_for};
}

// One line more. True: that was all there is to do, answered or not. Once begun it is done, though
// nobody may wait by then: whoever comes again finds the answer.
bool hash_pool::shared::advance(hash_job& one, const io::ring& kernel) {
  const mono_time now = kernel.now();
  one.answered = recall(one, now);
  if (one.answered) return true;
  if (one.lines_done == 0 && one.abandoned.load(std::memory_order_relaxed)) return true;
  const std::span<const auth::slow_line> lines = one.keys->slow_lines();
  const auth::slow_line& line = lines[one.lines_done++];
  hashes.fetch_add(1, std::memory_order_relaxed);
  const nanoseconds before = kernel.thread_time();
  one.answer.matched = auth::matches_slow_hash(line.hash, one.key.view());
  one.answered = one.answer.matched || one.lines_done == lines.size();
  one.answer.about = one.answer.matched ? line.id : one.keys->slow_id();
  settle(one, kernel.thread_time() - before, now);
  return one.answered;
}

// What a line has cost, and whether it matched.
void hash_pool::shared::settle(hash_job& one, nanoseconds spent, mono_time now) {
  const std::scoped_lock lock(own);
  if (one.answer.matched) {
    if (!one.known) budget.give_back(one.spent);
    remember(one, now);
  } else if (!one.known) {
    one.spent += spent;
    budget.charge(spent, now);
  }
}

void hash_pool::shared::work(int policy) {
  pthread_setname_np(pthread_self(), "hashes");
  const auto kernel = io::ring::create(ring_entries);
  begun.count_down();
  const sched_param none{};
  pthread_setschedparam(pthread_self(), policy, &none);  // a sandbox may forbid it
  while (kernel && !stopping) {
    mono_time open_from;
    hash_job* const job = next((*kernel)->now(), open_from);
    if (job == nullptr && open_from == mono_time::max()) {
      pending.acquire();
    } else if (job == nullptr) {
      pending.try_acquire_until(open_from);
    } else if (!advance(*job, **kernel)) {
      put_back(*job);
    } else {
      (job->known ? waiting_known : waiting).fetch_sub(1, std::memory_order_relaxed);
      const std::shared_ptr<hash_inbox> home = std::move(job->from);
      home->answers.push(job);
      (*kernel)->wake(home->ring);
      (*kernel)->wait(mono_time{});  // sends it
      (*kernel)->dispatch();
    }
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
