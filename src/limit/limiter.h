// All limits of one configuration: who may go on, and what is left to them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "limit/key.h"
#include "limit/lease.h"
#include "limit/pace.h"
#include "limit/shared.h"
#include "limit/table.h"

namespace rw::limit {

// What a request that was not admitted met.
enum class bound : std::uint8_t {
  none,
  rate,
  under_way,  // `concurrent` of the key's requests are
  size,       // it costs more than the whole burst: it never will be
  room        // the table of requests under way has no place left where the key's would be
};

struct decision {
  bool admitted = true;
  bound met = bound::none;
  std::uint64_t limit = 0;      // the burst: requests from a full budget
  std::uint64_t remaining = 0;  // requests that would be admitted now
  nanoseconds reset{0};         // until `remaining` grows by one; 0 with a full budget
  nanoseconds retry_after{0};   // until a request would be admitted; 0 when this one was
};

// One limit to be asked, `index` into configuration::limits.
struct demand {
  std::uint32_t index = 0;
  key who;
  limit::pace own{.burst = 0};  // in place of the limit's, for a caller with a rate of its own
  std::uint64_t cost = 1;       // what it takes from the budget
};

// Immutable but for its tables, which are atomic and may be shared with the limiter of an older or
// newer configuration. Any thread; after construction nothing allocates, waits or throws.
class limiter {
 public:
  // `shards`: one per worker. A limit of `previous` with the same name, key and capacity hands on
  // its counts, and where rate, burst and cost are the same too, its budgets. `previous` may still
  // be in use, also afterwards. Keys made by one are good for the other where the limit is the
  // same.
  limiter(std::span<const config::limit> limits, unsigned shards,
          const limiter* previous = nullptr);

  std::size_t size() const noexcept { return limits_.size(); }

  // One SipHash: some 20 ns. What does not change over a connection is worth keeping (a limit by
  // client.ip alone), for as long as the configuration is the same.
  key make_key(std::uint32_t index, const caller& who) const noexcept;
  demand make_demand(std::uint32_t index, const caller& who) const noexcept;

  // Takes one request from the key's budget if there is one. `now` is the caller's, and need not
  // be later than what other cores said: an older one only sees less budget.
  decision admit(const demand& what, mono_time now) const noexcept;
  decision admit(std::uint32_t index, key who, mono_time now) const noexcept {
    return admit({.index = index, .who = who}, now);
  }

  // All of `demands` or none of them: a refusal gives back what was taken before. The decisions are
  // in `out`, at least as many; after a refusal only the returned one is meaningful. The index
  // into `demands` of the limit that refused, nothing when all admitted. Shadows are asked once all
  // others have admitted, and refuse nothing: what one would have is in its decision.
  std::optional<std::size_t> admit_all(std::span<const demand> demands, mono_time now,
                                       std::span<decision> out) const noexcept;

  // Takes back one admission made at `taken_at`, for a request that a later limit refused. What the
  // passing of time has returned since is not returned twice: all of it with now == taken_at,
  // nothing one interval later. Exact when `now` is not before any time another core has admitted
  // this key at; otherwise the bound is loosened by that difference x rate.
  void give_back(const demand& what, mono_time taken_at, mono_time now) const noexcept;

  // For more of a request that was admitted: takes from the budget alone, or nothing.
  decision charge(const demand& what, mono_time now) const noexcept {
    return take(what, ticks(now));
  }

  // When a request that was admitted, and not given back, is over: it is no longer under way.
  void leave(const demand& what) const noexcept;

  // ---- for who looks at a limit from outside: nothing is taken by any of these

  // One key that has used up some of its budget, and for how long it has until that is full again;
  // or, of a limit without a rate, that has so many requests under way.
  struct holder {
    key who;
    std::uint64_t amount = 0;  // nanoseconds, or requests
  };
  // Of a limit's sets, how many there are; and what is in some of them, appended to `out`: 8 keys a
  // set. It reads two cache lines per set that the workers write, once.
  std::size_t sets(std::uint32_t index) const noexcept;
  void look(std::uint32_t index, std::size_t first, std::size_t sets, mono_time now,
            std::vector<holder>& out) const;
  // What the budget would say of a request; always yes without a rate.
  decision seen(const demand& what, mono_time now) const noexcept { return peek(what, ticks(now)); }
  std::uint64_t under_way(std::uint32_t index, key who) const noexcept;
  // The key's budget is full again. What is under way stays so.
  void refill(std::uint32_t index, key who) const noexcept;

  // ---- of a limit that gateways share, for a request that admit() has let in here. What they have
  // in common is never owed less than what this one knows of.

  // What Redis says the key owes at `now`: no request is let in here, or asked about, before it
  // could be there; of a limit that is leased, before it is worth asking. The decision as of all
  // gateways.
  decision learn(const demand& what, bool granted, nanoseconds debt, mono_time now) const noexcept;
  // Takes the request from what is borrowed; `leased` only.
  spending spend(const demand& what, mono_time now) const noexcept;
  // As limit::deposit() has it.
  void deposit(const demand& what, std::uint64_t credits, deposit_of which,
               mono_time now) const noexcept;
  // A slice at most: a tenth of the burst, at least 1.
  static std::uint64_t slice_of(const pace& of) noexcept;
  // The key in Redis; replaces `out`.
  void write_key(std::uint32_t index, const caller& who, std::string_view route,
                 const shared_secret& secret, std::string& out) const;

  const config::limit& at(std::uint32_t index) const noexcept { return limits_[index].config; }
  const pace& pace_of(std::uint32_t index) const noexcept { return limits_[index].pace; }
  const pace& pace_of(const demand& what) const noexcept {
    return what.own.burst != 0 ? what.own : limits_[what.index].pace;
  }
  // By identity, alone or joined: to be asked after authentication; every other before it.
  bool needs_identity(std::uint32_t index) const noexcept { return limits_[index].recipe.identity; }
  // Entries that lost a debt to a full set, since the table was made. A number that grows means
  // `capacity` is too small for the traffic.
  std::uint64_t forgiven(std::uint32_t index) const noexcept;

 private:
  struct entry {
    config::limit config;
    limit::pace pace;
    key_recipe recipe;
    std::shared_ptr<limit::table> table;      // none for a rate of 0: always admitted
    std::shared_ptr<limit::table> under_way;  // none without `concurrent`
    std::shared_ptr<limit::table> leases;     // none but for `leased`
  };

  void inherit(entry& wanted, unsigned shards) const noexcept;
  decision take(const demand& what, std::uint64_t now) const noexcept;
  decision peek(const demand& what, std::uint64_t now) const noexcept;
  decision foresee(const demand& what, std::uint64_t now) const noexcept;

  hash_key secret_{};
  std::vector<entry> limits_;
};

}  // namespace rw::limit
