#include "control/limit_survey.h"

#include <algorithm>
#include <functional>

namespace rw::control {
namespace {

using limit::limiter;

// 512 KiB of entries: some 0.1 ms, and then the other work of this thread has its turn.
constexpr std::size_t sets_at_a_time = 4096;

// Keeps the first `most` of what is there, the largest first.
void keep_top(std::vector<limiter::holder>& of, std::size_t most) {
  const std::size_t kept = std::min(most, of.size());
  std::ranges::partial_sort(of, of.begin() + static_cast<std::ptrdiff_t>(kept),
                            std::ranges::greater{}, &limiter::holder::amount);
  of.resize(kept);
}

}  // namespace

io::task<limit_survey> survey_limit(io::loop& on, std::shared_ptr<const gateway::snapshot> state,
                                    std::uint32_t index, std::size_t most) {
  limit_survey found;
  const std::size_t sets = state->limits->sets(index);
  for (std::size_t first = 0; first < sets; first += sets_at_a_time) {
    const std::size_t before = found.top.size();
    state->limits->look(index, first, sets_at_a_time, on.now(), found.top);
    found.owing += found.top.size() - before;
    keep_top(found.top, most);
    io::sleep pause(on, on.now());
    co_await pause;
  }
  co_return found;
}

limit_names::limit_names(const gateway::snapshot& state, const auth::snapshot& keys,
                         std::uint32_t index) {
  const config::limit& rules = state.settings.limits[index];
  const auto has = [&rules](config::limit_key part) {
    return std::ranges::find(rules.by, part) != rules.by.end();
  };
  if (has(config::limit_key::client_ip) || has(config::limit_key::country)) return;
  if (!rules.by_headers.empty()) return;
  std::vector<std::string_view> callers;
  const bool by_caller = has(config::limit_key::identity);
  if (by_caller && keys.keys) {
    for (const auto& one : keys.keys->list()) callers.push_back(one.name);
  }
  if (!by_caller) callers.emplace_back();
  const bool by_route = has(config::limit_key::route);
  const std::size_t routes = by_route ? state.settings.routes.size() : 1;
  for (const std::string_view caller : callers) {
    for (std::uint32_t route = 0; route < routes && names_.size() < names_max; ++route) {
      const limit::key key = state.limits->make_key(index, {.identity = caller, .route = route});
      std::string name(caller);
      if (by_route) name += (caller.empty() ? "" : " ") + state.settings.routes[route].name;
      names_.emplace_back(key.hash, std::move(name));
    }
  }
  std::ranges::sort(names_);
}

std::string_view limit_names::find(limit::key key) const {
  const auto at = std::ranges::lower_bound(names_, key.hash, {}, &entry::first);
  return at != names_.end() && at->first == key.hash ? at->second : std::string_view{};
}

}  // namespace rw::control
