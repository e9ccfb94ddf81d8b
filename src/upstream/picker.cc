#include "upstream/picker.h"

#include <algorithm>
#include <cmath>

namespace rw::upstream {
namespace {

constexpr std::uint32_t weight_scale = 64;  // so that a cold server can have a part of a weight
constexpr std::chrono::milliseconds warming_step{100};

// The end of MurmurHash3's mixing: every bit of the input moves half of the output's.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 33U)) * 0xff51afd7ed558ccdU;
  x = (x ^ (x >> 33U)) * 0xc4ceb9fe1a85ec53U;
  return x ^ (x >> 33U);
}

}  // namespace

std::uint64_t hash_of(std::string_view key) noexcept {
  std::uint64_t x = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : key) x = (x ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return mix(x);
}

picker::picker(const cluster& of, std::span<const server> servers,
               std::span<server_pool* const> pools, const config::upstream& rules,
               std::uint64_t seed)
    : cluster_(&of), servers_(servers), pools_(pools), rules_(&rules) {
  for (const server& one : servers) {
    name_hashes_.push_back(hash_of(one.name));
    // Less than one turn ahead of each other.
    seed = mix(seed + 1);
    turns_.push_back(static_cast<std::int64_t>(seed % (std::uint64_t{one.weight} * weight_scale)));
  }
  candidates_.reserve(servers.size());
}

// Those that can be used; backups when no other can.
void picker::gather(mono_time now) noexcept {
  candidates_.clear();
  look_at_ = mono_time::max();
  const nanoseconds slow_start = rules_->health.slow_start;
  for (const bool backup : {false, true}) {
    if (!candidates_.empty()) break;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const server_health& health = cluster_->at(i);
      if (servers_[i].backup != backup || !health.usable()) continue;
      const double warmth = health.warmth(now, slow_start);
      if (warmth < 1.0) look_at_ = std::min(look_at_, now + warming_step);
      const auto weight = static_cast<std::uint32_t>(
          std::max(1.0, warmth * static_cast<double>(servers_[i].weight * weight_scale)));
      sum += weight;
      candidates_.push_back(
          {static_cast<std::uint32_t>(i), weight, sum, name_hashes_[i], pools_[i]});
    }
  }
  even_ = std::all_of(candidates_.begin(), candidates_.end(), [&](const candidate& one) {
    return one.weight == candidates_.front().weight;
  });
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const server_health& health = cluster_->at(i);
    if (health.now(now, slow_start) == standing::ejected) {
      look_at_ = std::min(look_at_, health.ejected_until());
    }
  }
}

// Something has changed, or an ejected server's time is over.
void picker::look(const demand& wanted, choice& out) noexcept {
  if (wanted.first_try) {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      if (pools_[i] == wanted.avoid) continue;
      if (cluster_->try_again(i, wanted.now, wanted.repeatable)) {
        out = {i, true};
        break;
      }
    }
  }
  version_ = cluster_->common().version.load(std::memory_order_acquire);
  gather(wanted.now);
}

choice picker::pick(const demand& wanted) noexcept {
  choice out;
  if (cluster_->common().version.load(std::memory_order_acquire) != version_ ||
      wanted.now >= look_at_) {
    look(wanted, out);
    if (out.trial) return out;
  }
  if (candidates_.empty()) return out;
  if (candidates_.size() == 1 && candidates_.front().pool == wanted.avoid) {
    out.server = other_than(wanted.avoid);
    return out;
  }
  std::size_t chosen = 0;
  if (candidates_.size() > 1) {
    switch (rules_->balance) {
      case config::balance_rule::round_robin:
        chosen = in_turn(wanted.avoid);
        break;
      case config::balance_rule::least_requests:
        chosen = least(wanted.random, wanted.avoid);
        break;
      case config::balance_rule::hash:
        if (wanted.key) {
          chosen = by_key(*wanted.key, wanted.avoid);
          break;
        }
        [[fallthrough]];
      case config::balance_rule::p2c:
        chosen = two_choices(wanted.random, wanted.avoid);
        break;
    }
  }
  out.server = candidates_[chosen].server;
  return out;
}

// It has just failed somebody, and no other is held to be used before the backups: a backup then,
// and the same one again where there is none.
std::size_t picker::other_than(const server_pool* failed) const noexcept {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (pools_[i] != failed && cluster_->at(i).usable()) return i;
  }
  return candidates_.front().server;
}

std::size_t picker::at(std::uint64_t point) const noexcept {
  if (even_) return point / candidates_.front().weight;
  const auto found =
      std::upper_bound(candidates_.begin(), candidates_.end(), point,
                       [](std::uint64_t p, const candidate& one) { return p < one.until; });
  return static_cast<std::size_t>(found - candidates_.begin());
}

// The better of two different ones drawn at random, each as often as its weight has it, by requests
// under way per weight. Where that is the same the first draw decides.
std::size_t picker::two_choices(std::uint64_t random, const server_pool* avoid) const noexcept {
  // A point among the shares of all but `one`.
  const std::uint64_t total = candidates_.back().until;
  const auto draw = [&](std::uint32_t bits, std::size_t one) {
    const candidate& out = candidates_[one];
    std::uint64_t point = bits * (total - out.weight) >> 32U;
    if (point >= out.until - out.weight) point += out.weight;
    return at(point);
  };
  const auto low = static_cast<std::uint32_t>(random);
  const auto high = static_cast<std::uint32_t>(random >> 32U);
  if (avoid != nullptr) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (candidates_[i].pool != avoid) continue;
      // Both draws are of the others, and may be of the same one.
      const std::size_t a = draw(low, i);
      const std::size_t b = draw(high, i);
      return less_busy(candidates_[b], candidates_[a]) ? b : a;
    }
  }
  const std::size_t a = at(low * total >> 32U);
  const std::size_t b = draw(high, a);
  return less_busy(candidates_[b], candidates_[a]) ? b : a;
}

// Smooth: of weights 3 and 1, a a b a and not a a a b.
std::size_t picker::in_turn(const server_pool* avoid) noexcept {
  std::size_t best = SIZE_MAX;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    std::int64_t& turn = turns_[candidates_[i].server];
    turn += candidates_[i].weight;
    if (candidates_[i].pool == avoid) continue;
    if (best == SIZE_MAX || turn > turns_[candidates_[best].server]) best = i;
  }
  turns_[candidates_[best].server] -= static_cast<std::int64_t>(candidates_.back().until);
  return best;
}

// Looked at from a random one on, so that of several with as little each has its turn.
std::size_t picker::least(std::uint64_t random, const server_pool* avoid) const noexcept {
  const std::size_t first =
      at(std::uint64_t{static_cast<std::uint32_t>(random)} * candidates_.back().until >> 32U);
  std::size_t best = SIZE_MAX;
  for (std::size_t k = 0; k < candidates_.size(); ++k) {
    const std::size_t i = (first + k) % candidates_.size();
    if (candidates_[i].pool == avoid) continue;
    if (best == SIZE_MAX || less_busy(candidates_[i], candidates_[best])) best = i;
  }
  return best;
}

// Rendezvous: each server draws for the key, the highest has it. A new server takes from each of
// the others only what it wins. With weights the draw is -weight / ln(u), u even in (0, 1).
std::size_t picker::by_key(std::uint64_t key, const server_pool* avoid) const noexcept {
  std::size_t best = SIZE_MAX;
  double most = 0;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const candidate& one = candidates_[i];
    if (one.pool == avoid) continue;
    const std::uint64_t drawn = mix(key ^ one.name_hash);
    if (even_) {
      if (best == SIZE_MAX || drawn > highest) best = i;
      highest = std::max(highest, drawn);
      continue;
    }
    const double u = (static_cast<double>(drawn >> 11U) + 0.5) * 0x1p-53;
    const double score = -static_cast<double>(one.weight) / std::log(u);
    if (best == SIZE_MAX || score > most) best = i;
    most = std::max(most, score);
  }
  return best;
}

}  // namespace rw::upstream
