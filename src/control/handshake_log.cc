#include "control/handshake_log.h"

#include <fmt/format.h>

#include <utility>

namespace rw::control {

void handshake_log::look(const gateway::snapshot& state, mono_time now, const observe::log& to) {
  // What is not of this snapshot is forgotten: the table is no larger than the configuration.
  auto before = std::exchange(told_, {});
  for (const gateway::upstream_plan& plan : state.upstreams) {
    if (!plan.tls) continue;
    for (const upstream::server& one : plan.servers) {
      const upstream::handshake_failures* const failures = one.failures.get();
      told& last = told_[failures];
      if (const auto found = before.find(failures); found != before.end()) last = found->second;
      const std::uint64_t count = failures->count.load(std::memory_order_acquire);
      if (count == last.count || (last.at != mono_time{} && now - last.at < line_every)) continue;
      to.warning(fmt::format("upstream {}, server {}: TLS failed {}: {}", plan.settings->name,
                             one.name,
                             count - last.count == 1 ? std::string("once")
                                                     : fmt::format("{} times", count - last.count),
                             failures->last.load(std::memory_order_relaxed)));
      last = {count, now};
    }
  }
}

}  // namespace rw::control
