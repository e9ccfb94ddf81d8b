#include "standings.h"

#include <fmt/format.h>

#include <set>

#include "upstream/health.h"

namespace rw::sim {

using upstream::standing;

void standings::look() {
  for (const gateway::upstream_plan& plan : used_.made().back()->upstreams) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < plan.health.size(); ++i) {
      const standing is = plan.health.at(i).now(world_.now(), seconds{0});
      if (is == standing::ejected || is == standing::trying) ++out;
    }
    if (out * 2 > plan.health.size()) {
      world_.violation(fmt::format("{} of {} servers are ejected", out, plan.health.size()));
    }
  }
}

void standings::arrived(std::uint16_t port) {
  look();
  // A server that one configuration lacks is another one to the next; upstreams may share it.
  const upstream::server_health* tried = nullptr;
  bool known = false;
  for (const auto& state : used_.made()) {
    for (const gateway::upstream_plan& plan : state->upstreams) {
      for (std::size_t i = 0; i < plan.servers.size(); ++i) {
        if (plan.servers[i].name != fmt::format("127.0.0.1:{}", port)) continue;
        known = true;
        const upstream::server_health& one = plan.health.at(i);
        const standing is = one.now(world_.now(), seconds{0});
        if (is == standing::trying) {
          tried = &one;
        } else if (is != standing::ejected || one.since() + on_the_way > world_.now()) {
          return;
        }
      }
    }
  }
  if (!known) return;
  if (tried == nullptr) {
    world_.violation(fmt::format("a request to {}, which is ejected", port));
    return;
  }
  if (tried_[port] == tried->since()) {
    world_.violation(fmt::format("a second request tries {}", port));
  }
  tried_[port] = tried->since();
  ++trials_;
}

void standings::expect_idle() {
  for (const auto& state : used_.made()) {
    for (const gateway::upstream_plan& plan : state->upstreams) {
      if (plan.health.common().waiting.load() != 0) world_.violation("somebody is left waiting");
      for (std::size_t i = 0; i < plan.health.size(); ++i) {
        const upstream::server_health& one = plan.health.at(i);
        for (const upstream::server_counts& counts : one.counts()) {
          if (counts.under_way.get() != 0) {
            world_.violation(plan.servers[i].name + " has a request under way at the end");
          }
        }
        if (one.now(world_.now(), seconds{0}) == standing::trying) {
          world_.violation(plan.servers[i].name + " is being tried at the end");
        }
      }
    }
  }
}

std::uint64_t standings::sum(
    const std::function<std::uint64_t(const upstream::server_health&)>& of) const {
  std::set<const upstream::server_health*> all;
  std::uint64_t count = 0;
  for (const auto& state : used_.made()) {
    for (const gateway::upstream_plan& plan : state->upstreams) {
      for (std::size_t i = 0; i < plan.health.size(); ++i) {
        if (all.insert(&plan.health.at(i)).second) count += of(plan.health.at(i));
      }
    }
  }
  return count;
}

std::uint64_t standings::ejections() const {
  return sum([](const upstream::server_health& one) { return one.ejections(); });
}

}  // namespace rw::sim
