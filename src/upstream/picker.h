// Which server of an upstream gets the next request, as one worker sees them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "upstream/health.h"
#include "upstream/pool.h"
#include "upstream/server.h"

namespace rw::upstream {

// A place on the ring of keys, the same in every process: gates that share origins agree.
std::uint64_t hash_of(std::string_view key) noexcept;

// What is known of a request that wants a server.
struct demand {
  mono_time now;
  std::uint64_t random = 0;            // any 64 random bits
  std::optional<std::uint64_t> key;    // for balance = "hash:..."; without one, p2c decides
  const server_pool* avoid = nullptr;  // tried before; chosen again only if it is the only one
  bool first_try = true;
  bool repeatable = true;  // may be sent to another server if this one fails
};

struct choice {
  static constexpr std::size_t none = SIZE_MAX;  // no server can be used
  std::size_t server = none;
  bool trial = false;  // the one request that an ejected server gets: see cluster::try_again()
};

// Of one worker and one configuration. What can be used is put together when something has changed;
// a request costs one relaxed load, a comparison and the draw.
class picker {
 public:
  // All of it outlives the picker. `pools` are this worker's, in the order of `servers`. `seed`: so
  // that workers do not all begin their round with the same server.
  picker(const cluster& of, std::span<const server> servers, std::span<server_pool* const> pools,
         const config::upstream& rules, std::uint64_t seed);

  choice pick(const demand& wanted) noexcept;

 private:
  // A server that gets requests now.
  struct candidate {
    std::uint32_t server = 0;
    std::uint32_t weight = 0;  // its own x 64 when it is warm
    std::uint64_t until = 0;   // sum of the weights up to and with this one
    std::uint64_t name_hash = 0;
    const server_pool* pool = nullptr;
  };

  void look(const demand& wanted, choice& out) noexcept;
  void gather(mono_time now) noexcept;
  std::size_t two_choices(std::uint64_t random, const server_pool* avoid) const noexcept;
  std::size_t in_turn(const server_pool* avoid) noexcept;
  std::size_t least(std::uint64_t random, const server_pool* avoid) const noexcept;
  std::size_t by_key(std::uint64_t key, const server_pool* avoid) const noexcept;
  std::size_t other_than(const server_pool* failed) const noexcept;
  std::size_t at(std::uint64_t point) const noexcept;  // the candidate whose share it is in
  bool less_busy(const candidate& a, const candidate& b) const noexcept {
    return std::uint64_t{a.pool->in_flight} * b.weight <
           std::uint64_t{b.pool->in_flight} * a.weight;
  }

  const cluster* cluster_;
  std::span<const server> servers_;
  std::span<server_pool* const> pools_;
  const config::upstream* rules_;
  std::vector<std::uint64_t> name_hashes_;
  std::vector<candidate> candidates_;
  std::vector<std::int64_t> turns_;  // by server, for round_robin
  std::uint64_t version_ = 0;        // of the group, when candidates_ was made
  mono_time look_at_;                // when the passing of time changes something
  bool even_ = true;                 // all weights are the same
};

}  // namespace rw::upstream
