#include "control/upstream_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/values.h"
#include "control/json_text.h"
#include "control/text_table.h"

namespace rw::control {
namespace {

using upstream::standing;

constexpr std::chrono::seconds sampled_every{10};
constexpr std::chrono::minutes vain_every{10};

// Even within a bucket, each of which is twice as wide as the one before.
std::string quantile(const std::array<std::uint64_t, observe::histogram::buckets>& counted,
                     double part) {
  std::uint64_t all = 0;
  for (const std::uint64_t n : counted) all += n;
  if (all == 0) return "-";
  const double wanted = part * static_cast<double>(all);
  double below = 0;
  double from = 0;
  for (std::size_t i = 0; i < counted.size(); ++i) {
    const auto n = static_cast<double>(counted[i]);
    const double to = static_cast<double>(observe::histogram::first_bound_us << i) * 1e3;
    if (n > 0 && below + n >= wanted)
      return duration_text(from + (to - from) * (wanted - below) / n);
    below += n;
    from = to;
  }
  return duration_text(from);
}

bool is_out(standing one) noexcept {
  return one == standing::ejected || one == standing::trying || one == standing::down ||
         one == standing::draining;
}

const char* why_unresolved(const std::string& address, const origin_names* names) {
  const char* why = names != nullptr ? names->why_unresolved(address) : "";
  return why[0] != '\0' ? why : "no_address";
}

}  // namespace

upstream_board::sums upstream_board::count(const upstream::server_health& of) noexcept {
  sums all;
  for (const upstream::server_counts& one : of.counts()) {
    all.under_way += one.under_way.get();
    all.requests += one.requests.get();
    all.failed += one.failed.get();
    all.idle += one.idle.get();
    for (std::size_t i = 0; i < all.first_byte.size(); ++i) {
      all.first_byte[i] += one.first_byte.in_bucket(i);
    }
  }
  return all;
}

std::string upstream_board::why(const entry& one) {
  const std::uint32_t status = one.health->why_status();
  return status == 0 ? one.health->why() : fmt::format("{} ({})", one.health->why(), status);
}

std::uint64_t upstream_board::missed(const entry& one, observe::deadline which) noexcept {
  std::uint64_t all = 0;
  for (const upstream::server_counts& of : one.health->counts()) all += of.deadlines.get(which);
  return all;
}

std::string upstream_board::deadlines() const {
  std::string text;
  for (const gateway::upstream_plan& plan : state_->upstreams) {
    const std::string list =
        observe::missed_text(observe::deadlines_of_servers, [&](observe::deadline which) {
          std::uint64_t all = 0;
          for (const entry& one : entries_) {
            if (one.plan == &plan) all += missed(one, which);
          }
          return all;
        });
    if (!list.empty()) {
      text += fmt::format("{:<14}upstream {}: {}\n", "timeouts", plan.settings->name, list);
    }
  }
  return text;
}

std::size_t upstream_board::usable(const gateway::upstream_plan& plan) noexcept {
  std::size_t all = 0;
  for (std::size_t i = 0; i < plan.health.size(); ++i) {
    if (plan.health.at(i).usable()) ++all;
  }
  return all;
}

void upstream_board::adopt(std::shared_ptr<const gateway::snapshot> state, mono_time now) {
  std::vector<entry> made;
  for (const gateway::upstream_plan& plan : state->upstreams) {
    plan.health.settle(now);
    for (std::size_t i = 0; i < plan.servers.size(); ++i) {
      entry one;
      one.health = plan.health.share(i);
      one.older = one.newer = {now, count(*one.health)};
      for (const entry& before : entries_) {
        if (before.health == one.health) one = before;
      }
      one.plan = &plan;
      one.index = i;
      made.push_back(std::move(one));
      // Nobody would find out that it is well again.
      upstream::server_health& health = plan.health.at(i);
      if (health.down() && !plan.settings->health.is_active()) {
        plan.health.set_down(i, false, "no_longer_checked", 0, now);
      }
    }
  }
  entries_ = std::move(made);
  std::vector<bool> without(state->upstreams.size(), false);
  for (std::size_t i = 0; i < without_any_.size(); ++i) {
    const std::string& name = state_->upstreams[i].settings->name;
    for (const gateway::upstream_plan& plan : state->upstreams) {
      if (plan.settings->name == name) without[plan.index] = without_any_[i];
    }
  }
  without_any_ = std::move(without);
  state_ = std::move(state);
}

void upstream_board::say(entry& one, mono_time now, const observe::log& log) const {
  // That one request tries it is not worth a line; what comes of it is.
  standing is = one.standing(now);
  if (is == standing::trying) is = standing::ejected;
  if (is == standing::warming) is = standing::up;
  const mono_time since = one.health->since();
  const bool again = is == standing::ejected && one.health->ejected_until() != one.said_until;
  if (is == one.said && !again) return;
  if (is == standing::ejected) one.said_until = one.health->ejected_until();
  if (one.said == standing::up) one.out_since = since;
  if (one.said != is) one.said_vain = {};
  // One that is gone for good is not worth a line every eject_for.
  if (one.said == is && one.said_vain != mono_time{} && now - one.said_vain < vain_every) return;
  if (one.said == is) one.said_vain = now;
  const std::string name =
      fmt::format("upstream {}: {}", one.plan->settings->name, one.server().name);
  const std::string left =
      fmt::format("{} of {} servers are left", usable(*one.plan), one.plan->servers.size());
  if (is == standing::ejected) {
    const std::string time = config::duration_text(one.plan->settings->health.eject_for);
    log.warning(one.said == is
                    ? fmt::format("{} was tried again in vain, and is out for another {}: {}", name,
                                  time, why(one))
                    : fmt::format("{} is ejected for {}: {}; {}", name, time, why(one), left));
  } else if (is == standing::down) {
    log.warning(fmt::format("{} is down: {}; {}", name, why(one), left));
  } else if (is == standing::draining) {
    log.info(fmt::format("{} is being drained: {} requests under way; {}", name,
                         count(*one.health).under_way, left));
  } else {
    log.info(
        fmt::format("{} is back after {}: {}", name, age_text(since - one.out_since), why(one)));
  }
  one.said = is;
}

void upstream_board::look(mono_time now, const observe::log& log) {
  for (entry& one : entries_) {
    say(one, now, log);
    if (now - one.newer.at < sampled_every) continue;
    one.older = std::exchange(one.newer, {now, count(*one.health)});
  }
  for (std::size_t i = 0; i < without_any_.size(); ++i) {
    const gateway::upstream_plan& plan = state_->upstreams[i];
    const bool none = usable(plan) == 0;
    if (none != without_any_[i] && none) {
      log.error(
          fmt::format("upstream {}: no server is left, requests get 503", plan.settings->name));
    }
    without_any_[i] = none;
  }
}

std::vector<std::vector<std::string>> upstream_board::rows(mono_time now,
                                                           const origin_names* names) const {
  std::vector<std::vector<std::string>> rows = {{"UPSTREAM", "SERVER", "STATE", "WHY", "SINCE",
                                                 "NOW", "RATE/s", "P50", "P99", "REQUESTS",
                                                 "FAILED", "IDLE"}};
  for (const entry& one : entries_) {
    const sums counted = count(*one.health);
    sums lately = counted;
    lately.requests -= one.older.counted.requests;
    for (std::size_t i = 0; i < lately.first_byte.size(); ++i) {
      lately.first_byte[i] -= one.older.counted.first_byte[i];
    }
    const double seconds = std::chrono::duration<double>(now - one.older.at).count();
    const standing is = one.standing(now);
    const mono_time since = one.health->since();
    const bool drained = is == standing::draining && counted.under_way == 0;
    rows.push_back(
        {one.plan->settings->name, one.server().name + (one.server().backup ? " (backup)" : ""),
         drained ? "drained" : std::string(upstream::name(is)),
         one.health->why()[0] == '\0' ? "-" : why(one),
         since == mono_time{} ? "-" : age_text(now - since), fmt::format("{}", counted.under_way),
         fmt::format("{:.1f}", seconds > 0 ? static_cast<double>(lately.requests) / seconds : 0.0),
         quantile(lately.first_byte, 0.5), quantile(lately.first_byte, 0.99),
         fmt::format("{}", counted.requests), fmt::format("{}", counted.failed),
         fmt::format("{}", counted.idle)});
  }
  for (const gateway::upstream_plan& plan : state_->upstreams) {
    for (const std::string& name : plan.without_address) {
      rows.push_back({plan.settings->name, name, "unresolved", why_unresolved(name, names), "-",
                      "0", "0.0", "-", "-", "0", "0", "0"});
    }
  }
  return rows;
}

std::string upstream_board::table(mono_time now, const origin_names* names) const {
  const auto all = rows(now, names);
  return all.size() == 1 ? "no upstreams are configured\n" : align(all, 4);
}

std::string upstream_board::json(mono_time now, const origin_names* names) const {
  constexpr std::array<std::string_view, 12> keys = {"upstream", "server",    "state",  "why",
                                                     "since",    "under_way", "rate",   "p50",
                                                     "p99",      "requests",  "failed", "idle"};
  const auto all = rows(now, names);
  std::vector<std::string> items;
  for (std::size_t i = 1; i < all.size(); ++i) {
    json_object one;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      const std::string& cell = all[i][k];
      if (cell == "-") {
        one.put(keys[k], "null");
      } else if (k >= 5 && cell.find_first_not_of("0123456789.") == std::string::npos) {
        one.put(keys[k], cell);
      } else {
        one.text(keys[k], cell);
      }
    }
    items.push_back(one.str());
  }
  return json_array(items);
}

std::string upstream_board::summary(mono_time now, const origin_names* names) const {
  std::string text;
  for (const gateway::upstream_plan& plan : state_->upstreams) {
    text += fmt::format("{:<14}{}: {} of {} servers get requests", "upstream", plan.settings->name,
                        usable(plan), plan.servers.size());
    for (const entry& one : entries_) {
      if (one.plan != &plan || !is_out(one.standing(now))) continue;
      text += fmt::format("; {} is {} ({})", one.server().name, upstream::name(one.standing(now)),
                          why(one));
    }
    for (const std::string& name : plan.without_address) {
      text += fmt::format("; {} has no address ({})", name, why_unresolved(name, names));
    }
    text += '\n';
  }
  return text;
}

upstream_board::outcome upstream_board::drain(std::string_view server, bool drained,
                                              mono_time now) {
  outcome done;
  for (const entry& one : entries_) {
    const upstream::server& at = one.server();
    if (at.name != server && !at.name.starts_with(std::string(server) + " (")) continue;
    done.done = true;
    const std::string& upstream = one.plan->settings->name;
    if (one.health->drained() != drained) one.plan->health.set_drained(one.index, drained, now);
    if (!drained) {
      done.text += fmt::format("{} of {} gets requests again\n", at.name, upstream);
      continue;
    }
    done.text += fmt::format("{} of {} gets no new requests; {} are under way\n", at.name, upstream,
                             count(*one.health).under_way);
    if (usable(*one.plan) == 0) {
      done.text += fmt::format("no server of {} is left: its requests get 503\n", upstream);
    }
  }
  if (!done.done) {
    done.text = fmt::format("no server is called {}; `ringward upstreams` lists them\n", server);
  }
  return done;
}

}  // namespace rw::control
