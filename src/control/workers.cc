#include "control/workers.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <system_error>

#include "control/crash_report.h"

namespace rw::control {
namespace {

constexpr unsigned ring_entries = 2048;

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) cpus.push_back(i);
  }
  return cpus;
}

struct adopt_command : gateway::command {
  explicit adopt_command(std::shared_ptr<const gateway::snapshot> s) : state(std::move(s)) {}
  void run(gateway::worker& on) override { on.adopt(std::move(state)); }
  std::shared_ptr<const gateway::snapshot> state;
};

struct adopt_keys_command : gateway::command {
  explicit adopt_keys_command(std::shared_ptr<const auth::snapshot> k) : keys(std::move(k)) {}
  void run(gateway::worker& on) override { on.adopt_keys(std::move(keys)); }
  std::shared_ptr<const auth::snapshot> keys;
};

struct keys_settled_command : gateway::command {
  explicit keys_settled_command(std::shared_ptr<const gateway::key_source> s) : of(std::move(s)) {}
  void run(gateway::worker& on) override { on.keys_settled(*of); }
  std::shared_ptr<const gateway::key_source> of;
};

// Shows that the thread turns its loop and reads its messages, asleep or not.
struct answer_command : gateway::command {
  explicit answer_command(std::atomic<bool>& a) : answered(a) {}
  void run(gateway::worker&) override { answered.store(true, std::memory_order_release); }
  std::atomic<bool>& answered;
};

struct question_command : gateway::command {
  explicit question_command(std::shared_ptr<const gateway::question> q) : asked(std::move(q)) {}
  void run(gateway::worker& on) override { gateway::answer(on, asked); }
  std::shared_ptr<const gateway::question> asked;
};

struct revoke_command : gateway::command {
  explicit revoke_command(std::shared_ptr<const auth::revocation_list> l) : list(std::move(l)) {}
  void run(gateway::worker& on) override { on.revoke(std::move(list)); }
  std::shared_ptr<const auth::revocation_list> list;
};

struct drain_command : gateway::command {
  drain_command(nanoseconds limit, bool hurry) : at_most(limit), hurried(hurry) {}
  void run(gateway::worker& on) override { on.drain(at_most, hurried); }
  nanoseconds at_most;
  bool hurried;
};

}  // namespace

struct workers::one {
  int cpu = 0;
  std::unique_ptr<observe::counters> counters = std::make_unique<observe::counters>();
  std::unique_ptr<observe::log_queue> queue;
  std::unique_ptr<observe::log_queue> audit;
  std::promise<result<io::loop*>> ready;
  io::loop* loop = nullptr;
  std::atomic<bool> answered = true;  // the last answer_command
  pid_t id = 0;                       // the kernel's; known once `ready` is
  phase_samples samples;
  std::thread thread;
};

unsigned worker_count(unsigned configured) {
  return configured != 0 ? configured : static_cast<unsigned>(allowed_cpus().size());
}

void workers::run(one& self, gateway::worker_parts parts) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(self.cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  pthread_setname_np(pthread_self(), ("worker-" + std::to_string(parts.index)).c_str());

  self.id = ::gettid();
  count_phases(&self.samples);

  // Made here: a ring of one issuer belongs to the thread that enables it.
  auto kernel = io::ring::create(ring_entries);
  if (!kernel) {
    running_.fetch_sub(1, std::memory_order_release);
    posting_->count_down();
    self.ready.set_value(failure(kernel.error()));
    return;
  }
  io::loop loop(std::move(*kernel), parts.state->settings.server.buffers_bytes);
  {
    gateway::worker worker(loop, std::move(parts));
    self.ready.set_value(&loop);
    worker.run();
  }
  running_.fetch_sub(1, std::memory_order_release);
  // Another one, which has yet to hear of the end, may be about to hand over a connection, and the
  // control thread to tell what it tells all.
  posting_->arrive_and_wait();
}

result<std::unique_ptr<workers>> workers::start(
    unsigned count, const std::shared_ptr<const gateway::snapshot>& state,
    const std::shared_ptr<const auth::revocation_list>& revoked,
    const std::shared_ptr<limit::ban_table>& bans,
    const std::vector<net::listening_sockets>& sockets, log_choice logs, std::uint32_t clients_max,
    io::loop& control) {
  std::unique_ptr<workers> made(new workers);
  made->bound_clients(clients_max);
  const std::vector<int> cpus = allowed_cpus();
  made->running_ = count;
  made->posting_.emplace(count + 1);
  const auto loads = count > 1 ? std::make_shared<gateway::worker_loads>(count) : nullptr;
  // Half as many as there are workers: what they do may take all that nobody else wants.
  made->hashes_ = std::make_shared<gateway::hash_pool>(std::max(1U, std::min(count / 2, 4U)));
  error refused;
  bool failed = false;
  for (unsigned i = 0; i < count; ++i) {
    auto self = std::make_unique<one>();
    self->cpu = cpus[i % cpus.size()];
    if (logs.access) self->queue = std::make_unique<observe::log_queue>(access_queue_bytes);
    if (logs.audit) {
      self->audit = std::make_unique<observe::log_queue>(gateway::auditor::queue_bytes);
    }
    gateway::worker_parts parts;
    parts.index = i;
    parts.workers = count;
    parts.state = state;
    parts.revoked = revoked;
    parts.bans = bans;
    for (std::size_t k = 0; k < sockets.size(); ++k) {
      for (const int fd : sockets[k].of(i, count)) {
        parts.listening.push_back({fd, static_cast<std::uint32_t>(k)});
      }
    }
    parts.counters = self->counters.get();
    parts.access = self->queue.get();
    parts.audit = self->audit.get();
    parts.clients = made->clients_;
    parts.control = &control;
    parts.loads = loads;
    parts.hashes = made->hashes_;
    try {
      self->thread = std::thread(&workers::run, made.get(), std::ref(*self), std::move(parts));
    } catch (const std::system_error& why) {
      refused = io::kernel_error(why.code().value(), origin::local);
      failed = true;
      made->running_.fetch_sub(count - i, std::memory_order_release);
      made->posting_->count_down(count - i);
      break;
    }
    made->all_.push_back(std::move(self));
  }
  for (const auto& self : made->all_) {
    const result<io::loop*> loop = self->ready.get_future().get();
    if (loop) {
      self->loop = *loop;
    } else {
      failed = true;
      refused = loop.error();
    }
  }
  if (!failed) return made;
  made->drain(control.kernel(), nanoseconds{0});
  control.kernel().wait(control.kernel().now() + std::chrono::milliseconds{100});
  return failure(refused);
}

workers::~workers() {
  posting_->count_down();
  for (const auto& self : all_) self->thread.join();
}

void workers::adopt(io::ring& from, const std::shared_ptr<const gateway::snapshot>& state) {
  for (const auto& self : all_) {
    if (self->loop != nullptr) self->loop->post(from, new adopt_command(state));
  }
}

void workers::revoke(io::ring& from, const std::shared_ptr<const auth::revocation_list>& list) {
  for (const auto& self : all_) {
    if (self->loop != nullptr) self->loop->post(from, new revoke_command(list));
  }
}

void workers::adopt_keys(io::ring& from, const std::shared_ptr<const auth::snapshot>& keys) {
  for (const auto& self : all_) {
    if (self->loop != nullptr) self->loop->post(from, new adopt_keys_command(keys));
  }
}

void workers::keys_settled(io::ring& from, const std::shared_ptr<const gateway::key_source>& of) {
  for (const auto& self : all_) {
    if (self->loop != nullptr) self->loop->post(from, new keys_settled_command(of));
  }
}

void workers::drain(io::ring& from, nanoseconds at_most, bool hurried) {
  for (const auto& self : all_) {
    if (self->loop != nullptr) self->loop->post(from, new drain_command(at_most, hurried));
  }
}

bool workers::answered() const noexcept {
  return std::ranges::all_of(
      all_, [](const auto& self) { return self->answered.load(std::memory_order_acquire); });
}

void workers::report_silent(nanoseconds since, const observe::log& log) const {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (all_[i]->answered.load(std::memory_order_acquire)) continue;
    log.warning(fmt::format("worker {} has not answered for {} ms; its stack follows once it runs",
                            i,
                            std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
    pthread_kill(all_[i]->thread.native_handle(), stack_signal());
  }
}

void workers::ask(io::ring& from) {
  for (const auto& self : all_) {
    if (!self->answered.exchange(false, std::memory_order_relaxed)) continue;
    self->loop->post(from, new answer_command(self->answered));
  }
}

void workers::put(io::ring& from, const std::shared_ptr<const gateway::question>& what) {
  for (const auto& self : all_) self->loop->post(from, new question_command(what));
}

std::vector<const observe::counters*> workers::counters() const {
  std::vector<const observe::counters*> list;
  list.reserve(all_.size());
  for (const auto& self : all_) list.push_back(self->counters.get());
  return list;
}

std::vector<nanoseconds> workers::cpu_time() const {
  std::vector<nanoseconds> list;
  for (const auto& self : all_) {
    clockid_t clock = 0;
    timespec used{};
    // The handle is good until the thread is joined, by the destructor.
    const bool known = ::pthread_getcpuclockid(self->thread.native_handle(), &clock) == 0 &&
                       ::clock_gettime(clock, &used) == 0;
    list.push_back(known ? std::chrono::seconds{used.tv_sec} + nanoseconds{used.tv_nsec}
                         : nanoseconds{0});
  }
  return list;
}

std::vector<workers::sampled> workers::sampled_threads() const {
  std::vector<sampled> list;
  for (const auto& self : all_) {
    sampled one{.thread = self->id, .samples = &self->samples};
    ::pthread_getcpuclockid(self->thread.native_handle(), &one.clock);  // or it stays as it is
    list.push_back(one);
  }
  return list;
}

std::vector<observe::log_queue*> workers::queues() const {
  std::vector<observe::log_queue*> list;
  for (const auto& self : all_) {
    if (self->queue) list.push_back(self->queue.get());
  }
  return list;
}

std::vector<observe::log_queue*> workers::audit_queues() const {
  std::vector<observe::log_queue*> list;
  for (const auto& self : all_) {
    if (self->audit) list.push_back(self->audit.get());
  }
  return list;
}

}  // namespace rw::control
