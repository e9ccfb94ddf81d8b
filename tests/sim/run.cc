#include "run.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <memory>
#include <optional>

#include "backend.h"
#include "client.h"
#include "configuration.h"
#include "gateway/worker.h"
#include "ledger.h"
#include "observe/counters.h"
#include "observe/log_queue.h"
#include "origin.h"
#include "seeded.h"
#include "world.h"

namespace rw::sim {
namespace {

constexpr seconds drain_timeout{3};
constexpr milliseconds idle_drain{2'500};

struct adopt : gateway::command {
  std::shared_ptr<const gateway::snapshot> state;
  void run(gateway::worker& on) override { on.adopt(state); }
};

struct stop : gateway::command {
  nanoseconds at_most{0};
  void run(gateway::worker& on) override { on.drain(at_most); }
};

class run {
 public:
  explicit run(const circumstances& with);
  outcome go();

 private:
  void post(io::message* one) { loop_->post(*control_, one); }
  void open();
  void invite();
  void surprise();
  void reload();
  void watch();
  void drain(nanoseconds at_most);
  void count_down();
  void cut_now();
  void expect_idle();
  void finish();
  std::string report() const;
  bool all_done() const;

  circumstances with_;
  world world_;
  ledger book_;
  configurations configurations_;
  std::unique_ptr<io::ring> control_;  // for posting alone
  std::optional<io::loop> loop_;
  observe::counters counters_;
  observe::log_queue access_{1U << 20U};
  std::vector<int> listening_;
  std::shared_ptr<gateway::connection_bound> clients_open_ =
      std::make_shared<gateway::connection_bound>();
  std::optional<gateway::worker> worker_;
  std::list<origin> origins_;
  std::list<client> clients_;
};

run::run(const circumstances& with) : with_(with), world_(with.seed) {
  world_.seed = with.seed;
  world_.tracing = with.tracing;
  seed_random(with.seed);
  use(&world_);
  book_.calm = with.brief || world_.chance(0.15);
  if (book_.calm) world_.exhaustion = 0;
  world_.mischief = world_.chance(0.2) ? 0.0 : world_.chance(0.2) ? 4.0 : 1.0;
  world_.describe = [this] { return report(); };
  world_.latest = world_.now() + std::chrono::minutes{10};
}

std::string run::report() const {
  std::string text;
  for (const client& one : clients_) {
    if (const std::string waits = one.waiting_for(); !waits.empty()) text += "  " + waits + '\n';
  }
  for (const std::string& one : world_.stuck(world_.now() - seconds{1})) {
    text += "  silent: " + one + '\n';
  }
  return text;
}

bool run::all_done() const {
  return std::all_of(clients_.begin(), clients_.end(),
                     [](const client& one) { return one.done(); });
}

void run::open() {
  const auto state = configurations_.next();
  if (state == nullptr) world_.give_up("the configuration is refused");
  control_ = std::move(*io::ring::create(16));
  // The smallest pool there is has sixteen buffers: too few for everybody to have an answer in
  // time.
  const std::size_t sizes[] = {0, 1U << 20U, 16U << 20U};
  const bool may_starve = !book_.calm || with_.brief;
  const std::size_t bytes = sizes[may_starve ? world_.random(3) : 1 + world_.random(2)];
  loop_.emplace(std::move(*io::ring::create(256)), bytes);
  for (std::size_t i = 0; i < state->listeners.size(); ++i) {
    listening_.push_back(world_.add_listener());
  }
  worker_.emplace(*loop_, gateway::worker_parts{.index = 0,
                                                .workers = 1,
                                                .state = state,
                                                .listening = listening_,
                                                .counters = &counters_,
                                                .access = &access_,
                                                .clients = clients_open_});
}

void run::invite() {
  const double faults = book_.calm ? 0.0 : 1.0;
  for (const std::uint16_t port : origin_ports) {
    origin_habits habits{.faults = faults};
    if (with_.brief) habits = {.faults = 0, .body_bytes_max = 90'000, .late = 0.2};
    origins_.emplace_back(world_, book_, port, habits);
  }
  client_habits habits{.faults = faults};
  if (book_.calm) habits.body_bytes_max = with_.brief ? 20'000 : 60'000;  // under any max_body
  const bool some_tls = world_.chance(0.3);
  const auto count = 1 + world_.random(with_.brief ? 2 : 12);
  for (unsigned i = 0; i < count; ++i) {
    const bool tls = some_tls && world_.chance(0.5);
    const client_door door{listening_[tls ? secure : plain], tls};
    clients_.emplace_back(world_, book_, door, i, habits);
  }
}

// What operators do while all this goes on.
void run::surprise() {
  if (with_.brief) return;
  if (world_.chance(0.5)) {
    for (auto n = 1 + world_.random(3); n-- > 0;) {
      world_.after(world_.delay(milliseconds{1}, seconds{8}), [this] { reload(); });
    }
  }
  if (!book_.calm && world_.chance(0.3)) {
    world_.after(world_.delay(milliseconds{100}, seconds{10}), [this] { drain(drain_timeout); });
  }
}

void run::reload() {
  if (book_.draining) return;
  world_.trace("reload");
  auto* message = new adopt;
  message->state = configurations_.next();
  book_.withdrawn = true;
  post(message);
}

// Once a second: nothing may stand still for long, whatever peers do.
void run::watch() {
  world_.after(seconds{1}, [this] {
    for (const std::string& one : world_.stuck(world_.now() - seconds{40})) {
      world_.violation("nothing has moved for 40 s on " + one);
    }
    book_.read_access_log(access_);
    if (all_done()) drain(drain_timeout);
    // Connections that wait for nothing go at once; their peers may have all the time there is.
    if (all_done() && book_.calm)
      world_.latest = std::min(world_.latest, world_.now() + idle_drain);
    watch();
  });
}

void run::drain(nanoseconds at_most) {
  if (book_.draining) return;
  world_.trace("drain");
  book_.draining = true;
  auto* message = new stop;
  message->at_most = at_most;
  post(message);
  // Past the deadline everything is cut, and has to be gone at once.
  world_.latest = world_.now() + at_most + seconds{1};
}

void run::count_down() {
  if (world_.completions != with_.at) return;
  world_.trace("the cut");
  // A reload is nobody's excuse.
  book_.calm = with_.what == cut::reload;
  cut_now();
}

void run::cut_now() {
  switch (with_.what) {
    case cut::clients_reset:
      for (client& one : clients_) one.cut();
      world_.after(seconds{3}, [this] { expect_idle(); });
      break;
    case cut::clients_leave:
      for (client& one : clients_) one.leave();
      break;
    case cut::origins_reset:
    case cut::origins_close:
      for (origin& one : origins_) one.cut(with_.what == cut::origins_reset);
      break;
    case cut::drain:
      drain(nanoseconds{0});
      break;
    case cut::reload:
      reload();
      break;
    case cut::nothing:
    case cut::end:
      break;
  }
}

// Nobody is there any more to have an answer: origins that are slow to give one are left alone.
void run::expect_idle() {
  if (std::any_of(clients_.begin(), clients_.end(),
                  [](const client& c) { return c.pipelines(); })) {
    return;
  }
  for (const gateway::upstream_plan& one : configurations_.made().back()->upstreams) {
    if (one.in_flight->load() == 0) continue;
    world_.violation("a request goes on though its client has gone");
  }
}

outcome run::go() {
  open();
  invite();
  surprise();
  watch();
  if (with_.what != cut::nothing) world_.on_completion = [this] { count_down(); };
  worker_->run();
  finish();
  outcome out;
  out.violations = world_.violations();
  out.completions = world_.completions;
  out.events = world_.events();
  out.answered = book_.answered;
  out.refused = book_.refused;
  out.retries = book_.retries;
  out.unauthorised = book_.unauthorised;
  out.limited = book_.limited;
  out.given_back = book_.given_back;
  out.minted = book_.minted.size();
  out.handshakes = counters_.get(observe::counter::handshakes_tls12) +
                   counters_.get(observe::counter::handshakes_tls13);
  out.seconds =
      std::chrono::duration<double>(world_.now() - mono_time{std::chrono::hours{1}}).count();
  return out;
}

void run::finish() {
  const auto expect_zero = [this](std::uint64_t left, const char* of) {
    if (left != 0) world_.violation(fmt::format("{} {} left at the end", left, of));
  };
  using observe::counter;
  const std::uint64_t accepted = counters_.get(counter::connections_accepted);
  if (counters_.get(counter::connections_closed) != accepted) {
    world_.violation("connections accepted and closed are not as many");
  }
  for (const auto& state : configurations_.made()) {
    for (const gateway::upstream_plan& one : state->upstreams) {
      expect_zero(one.in_flight->load(), "requests in flight");
    }
    for (const gateway::listener_plan& one : state->listeners) {
      expect_zero(one.open->load(), "places at a listener taken");
    }
  }
  expect_zero(clients_open_->open.load(), "clients counted");
  worker_.reset();
  expect_zero(loop_->kernel().in_flight(), "operations");
  expect_zero(loop_->buffers().in_use(), "buffers");
  expect_zero(loop_->timers().armed(), "timers");
  expect_zero(io::frames_alive(), "coroutine frames");
  expect_zero(loop_->pipes().lent(), "pipes lent");
  expect_zero(world_.open_descriptors() - 2 * loop_->pipes().kept(), "descriptors");
  // Nothing is received for any more, so what can be offered is.
  loop_->buffers().replenish();
  const std::size_t offered = std::min(io::buffer_pool::offered_max, loop_->buffers().size() / 2);
  expect_zero(offered - world_.buffers_offered, "offered buffers fewer");
  book_.read_access_log(access_);
  expect_zero(access_.dropped(), "access lines dropped, none");
  book_.audit(world_);
  for (const int fd : listening_) world_.close_listener(fd);
}

}  // namespace

outcome simulate(const circumstances& with) {
  prepare_configurations();
  return run(with).go();
}

}  // namespace rw::sim
