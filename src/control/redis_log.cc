#include "control/redis_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "redis/client.h"

namespace rw::control {
namespace {

using observe::counter;

// What has happened most, of what takes a connection away.
std::string_view likely_reason(std::span<const observe::counters* const> workers) noexcept {
  constexpr std::array<std::pair<counter, std::string_view>, 5> known{
      {{counter::redis_errors, "it answers with errors: the password, its memory, or a replica"},
       {counter::redis_garbage, "what answers there is no Redis"},
       {counter::redis_timeouts, "it does not answer in time"},
       {counter::redis_disconnects, "it has closed the connections"},
       {counter::redis_unreachable, "it takes no connection"}}};
  std::string_view found = known.back().second;
  std::uint64_t most = 0;
  for (const auto& [which, text] : known) {
    std::uint64_t count = 0;
    for (const observe::counters* one : workers) count += one->get(which);
    if (count > most) found = text;
    most = std::max(most, count);
  }
  return found;
}

}  // namespace

void redis_log::look(const gateway::snapshot& state,
                     std::span<const observe::counters* const> workers, mono_time now,
                     const observe::log& to) {
  const bool well = !state.asks_redis || std::ranges::all_of(workers, [](const auto* one) {
    return one->get(counter::redis_state) ==
           static_cast<std::uint64_t>(redis::client::state::closed);
  });
  if (well) {
    well_at_ = now;
    if (std::exchange(lost_, false) && state.asks_redis) {
      to.info(fmt::format("redis {}: every worker asks it again", state.redis->name));
    }
    return;
  }
  if (well_at_ == mono_time{}) well_at_ = now;
  if (lost_ || now - well_at_ < patience) return;
  lost_ = true;
  const bool local = state.settings.redis.on_loss == config::redis_loss::local;
  to.warning(fmt::format("redis {}: not to be asked ({}); what requests ask there {}",
                         state.redis->name, likely_reason(workers),
                         local ? "is decided on this machine alone" : "is refused with 503"));
}

}  // namespace rw::control
