#include "run.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <memory>
#include <optional>

#include "backend.h"
#include "client.h"
#include "configuration.h"
#include "crew.h"
#include "ledger.h"
#include "observe/counters.h"
#include "origin.h"
#include "seeded.h"
#include "standings.h"
#include "world.h"

namespace rw::sim {
namespace {

constexpr seconds drain_timeout{3};
constexpr milliseconds idle_drain{2'500};

class run {
 public:
  explicit run(const circumstances& with);
  outcome go();

 private:
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
  unsigned workers_;
  bool tls_origins_;
  configurations configurations_;
  standings standings_{world_, configurations_};
  crew crew_;
  std::list<origin> origins_;
  std::list<client> clients_;
};

run::run(const circumstances& with)
    : with_(with),
      world_(with.seed),
      workers_(world_.chance(0.4) ? 2 : 1),
      tls_origins_(with.brief ? with.seed % 8 == 3 : world_.chance(0.15)),
      configurations_(workers_, tls_origins_),
      crew_(world_, workers_) {
  world_.seed = with.seed;
  world_.tracing = with.tracing;
  seed_random(with.seed);
  use(&world_);
  book_.calm = with.brief || world_.chance(0.15);
  if (book_.calm) world_.exhaustion = 0;
  world_.mischief = world_.chance(0.2) ? 0.0 : world_.chance(0.2) ? 4.0 : 1.0;
  world_.describe = [this] { return report(); };
  world_.latest = world_.now() + std::chrono::minutes{10};
  book_.on_arrival = [this](std::uint16_t port) { standings_.arrived(port); };
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
  // The smallest pool there is has sixteen buffers: too few for everybody to have an answer in
  // time.
  const std::size_t sizes[] = {0, 1U << 20U, 16U << 20U};
  const bool may_starve = !book_.calm || with_.brief;
  const std::size_t bytes = sizes[may_starve ? world_.random(3) : 1 + world_.random(2)];
  const bool crowded = !book_.calm && world_.chance(0.1);
  crew_.open(state, bytes, crowded ? 2 : UINT32_MAX);
}

void run::invite() {
  const double faults = book_.calm ? 0.0 : 1.0;
  // Clients as they should be, and origins that are not.
  const bool rough = !book_.calm && world_.chance(0.3);
  for (const std::uint16_t port : origin_ports) {
    origin_habits habits{.faults = faults};
    if (with_.brief) habits = {.faults = 0, .body_bytes_max = 90'000, .late = 0.2};
    if (rough) habits.faults = 0.2;
    habits.tls = tls_origins_;
    origins_.emplace_back(world_, book_, port, habits);
    if (!book_.calm) origins_.back().live_moodily(rough ? seconds{8} : seconds{30});
  }
  client_habits habits{.faults = faults};
  if (book_.calm) habits.body_bytes_max = with_.brief ? 20'000 : 60'000;  // under any max_body
  if (rough) {
    habits = {.faults = 0, .body_bytes_max = 10'000, .come_within = seconds{30}, .asks_max = 40};
    habits.only_proxied = true;
  }
  const bool some_tls = world_.chance(0.3);
  // Few clients are handed over only when they come together.
  const bool together = with_.brief && workers_ > 1;
  if (together) habits.come_within = milliseconds{20};
  const auto count = together ? 3 : 1 + world_.random(with_.brief ? 2 : 12) + (rough ? 12 : 0);
  for (unsigned i = 0; i < count; ++i) {
    const bool tls = some_tls && world_.chance(0.5);
    const client_door door{crew_.socket_of(tls ? secure : plain), tls};
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
  book_.withdrawn = true;
  crew_.adopt(configurations_.next());
}

// Once a second: nothing may stand still for long, whatever peers do.
void run::watch() {
  world_.after(seconds{1}, [this] {
    for (const std::string& one : world_.stuck(world_.now() - seconds{40})) {
      world_.violation("nothing has moved for 40 s on " + one);
    }
    crew_.read_access_logs(book_);
    crew_.expect_bounded();
    standings_.look();
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
  crew_.drain(at_most);
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
    if (one.health.common().under_way.load() == 0) continue;
    world_.violation("a request goes on though its client has gone");
  }
}

outcome run::go() {
  open();
  invite();
  surprise();
  watch();
  if (with_.what != cut::nothing) world_.on_completion = [this] { count_down(); };
  crew_.run();
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
  out.ejections = standings_.ejections();
  out.trials = standings_.trials();
  out.handshakes =
      crew_.sum(observe::counter::handshakes_tls12) + crew_.sum(observe::counter::handshakes_tls13);
  const auto tls = [this](observe::cell upstream::server_counts::* which) {
    return standings_.sum([which](const upstream::server_health& of) {
      std::uint64_t all = 0;
      for (const upstream::server_counts& one : of.counts()) all += (one.*which).get();
      return all;
    });
  };
  out.upstream_handshakes = tls(&upstream::server_counts::tls_full);
  out.upstream_resumed = tls(&upstream::server_counts::tls_resumed);
  out.upstream_refused = tls(&upstream::server_counts::tls_failed);
  out.turned_away = crew_.sum(observe::counter::connections_refused);
  out.handed_over = crew_.sum(observe::counter::connections_handed_over);
  out.seconds =
      std::chrono::duration<double>(world_.now() - mono_time{std::chrono::hours{1}}).count();
  return out;
}

void run::finish() {
  crew_.expect_nothing_left(configurations_);
  standings_.expect_idle();
  crew_.read_access_logs(book_);
  book_.audit(world_);
}

}  // namespace

outcome simulate(const circumstances& with) {
  prepare_configurations();
  return run(with).go();
}

}  // namespace rw::sim
