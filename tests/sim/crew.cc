#include "crew.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend.h"
#include "fibers.h"

namespace rw::sim {
namespace {

struct adoption : gateway::command {
  std::shared_ptr<const gateway::snapshot> state;
  void run(gateway::worker& on) override { on.adopt(state); }
};

struct stop : gateway::command {
  nanoseconds at_most{0};
  void run(gateway::worker& on) override { on.drain(at_most); }
};

}  // namespace

void crew::open(const std::shared_ptr<const gateway::snapshot>& state, std::size_t buffers_bytes,
                std::uint32_t most) {
  clients_->most = most;
  control_ = std::move(*io::ring::create(16));
  if (count_ > 1) loads_ = std::make_shared<gateway::worker_loads>(count_);
  for (unsigned index = 0; index < count_; ++index) {
    desk& made = desks_.emplace_back();
    made.loop.emplace(std::move(*io::ring::create(256)), buffers_bytes);
    std::vector<gateway::worker_parts::accepting> accepting;
    for (std::uint32_t i = 0; i < state->listeners.size(); ++i) {
      made.listening.push_back(world_.add_listener());
      accepting.push_back({made.listening.back(), i});
    }
    made.worker.emplace(*made.loop, gateway::worker_parts{.index = index,
                                                          .workers = count_,
                                                          .state = state,
                                                          .listening = accepting,
                                                          .counters = &made.counters,
                                                          .access = &made.access,
                                                          .clients = clients_,
                                                          .loads = loads_});
  }
}

void crew::expect_bounded() {
  using observe::counter;
  const std::uint64_t open = sum(counter::connections_accepted) - sum(counter::connections_closed);
  if (open > clients_->most) world_.violation(fmt::format("{} clients are too many", open));
}

int crew::socket_of(listener_index which) {
  const bool second = count_ > 1 && world_.chance(0.2);
  return (second ? desks_.back() : desks_.front()).listening[which];
}

void crew::adopt(const std::shared_ptr<const gateway::snapshot>& state) {
  for (const gateway::upstream_plan& one : state->upstreams) one.health.settle(world_.now());
  for (desk& one : desks_) {
    auto* message = new adoption;
    message->state = state;
    one.loop->post(*control_, message);
  }
}

void crew::drain(nanoseconds at_most) {
  for (desk& one : desks_) {
    auto* message = new stop;
    message->at_most = at_most;
    one.loop->post(*control_, message);
  }
}

void crew::run() {
  if (desks_.size() == 1) return desks_.front().worker->run();
  std::vector<std::function<void()>> bodies;
  for (desk& one : desks_) bodies.emplace_back([&one] { one.worker->run(); });
  fibers(world_).run(bodies);
}

void crew::read_access_logs(ledger& into) {
  for (desk& one : desks_) into.read_access_log(one.access);
}

std::uint64_t crew::sum(observe::counter what) const {
  std::uint64_t all = 0;
  for (const desk& one : desks_) all += one.counters.get(what);
  return all;
}

void crew::expect_zero(std::uint64_t left, const char* of) {
  if (left != 0) world_.violation(fmt::format("{} {} left at the end", left, of));
}

void crew::expect_none_taken(const configurations& used) {
  using observe::counter;
  for (const desk& one : desks_) {
    if (one.counters.get(counter::connections_closed) !=
        one.counters.get(counter::connections_accepted)) {
      world_.violation("connections accepted and closed are not as many");
    }
  }
  for (const auto& state : used.made()) {
    for (const gateway::upstream_plan& one : state->upstreams) {
      expect_zero(one.health.common().under_way.load(), "requests in flight");
    }
    for (const gateway::listener_plan& one : state->listeners) {
      expect_zero(one.open->load(), "places at a listener taken");
    }
  }
  expect_zero(clients_->open.load(), "clients counted");
  if (!loads_) return;
  for (const gateway::worker_load& one : *loads_) expect_zero(one.clients.load(), "clients' load");
}

void crew::expect_nothing_left(const configurations& used) {
  // What was posted to a worker that had come to its end ends with its loop.
  for (desk& one : desks_) {
    for (io::message* m = one.loop->posted(); m != nullptr;) delete std::exchange(m, m->next);
  }
  expect_none_taken(used);
  std::size_t pipes = 0;
  std::size_t offered = 0;
  for (desk& one : desks_) {
    one.worker.reset();
    expect_zero(one.loop->kernel().in_flight(), "operations");
    expect_zero(one.loop->buffers().in_use(), "buffers");
    expect_zero(one.loop->timers().armed(), "timers");
    expect_zero(one.loop->pipes().lent(), "pipes lent");
    expect_zero(one.access.dropped(), "access lines dropped, none");
    pipes += one.loop->pipes().kept();
    // Nothing is received for any more, so what can be offered is.
    one.loop->buffers().replenish();
    offered += std::min(io::buffer_pool::offered_max, one.loop->buffers().size() / 2);
    for (const int fd : one.listening) world_.close_listener(fd);
  }
  expect_zero(io::frames_alive(), "coroutine frames");
  expect_zero(world_.open_descriptors() - 2 * pipes, "descriptors");
  expect_zero(offered - world_.buffers_offered, "offered buffers fewer");
}

}  // namespace rw::sim
