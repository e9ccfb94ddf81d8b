// A snapshot as one worker uses it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "auth/mint.h"
#include "gateway/snapshot.h"
#include "upstream/picker.h"
#include "upstream/pool.h"
#include "upstream/retry_budget.h"
#include "upstream/waiting_line.h"

namespace rw::gateway {

// One upstream as one worker uses it.
struct upstream_use {
  upstream_use(io::loop& on, const upstream_plan& plan,
               std::vector<std::shared_ptr<upstream::server_pool>> pools_of_servers,
               std::uint64_t seed)
      : held(std::move(pools_of_servers)),
        pools(raw(held)),
        picker(plan.health, plan.servers, pools, *plan.settings, seed),
        line(on, plan.health.common(), *plan.settings) {}

  // In the order of upstream_plan::servers. Held as long as an exchange may choose among them.
  std::vector<std::shared_ptr<upstream::server_pool>> held;
  std::vector<upstream::server_pool*> pools;
  upstream::picker picker;
  upstream::retry_budget retries;
  upstream::waiting_line line;

 private:
  static std::vector<upstream::server_pool*> raw(
      const std::vector<std::shared_ptr<upstream::server_pool>>& from) {
    std::vector<upstream::server_pool*> made;
    made.reserve(from.size());
    for (const auto& one : from) made.push_back(one.get());
    return made;
  }
};

// Counted without atomics: workers share the snapshot, not the line its count is in. Dropped when
// it is not the present one and its last exchange has ended.
struct epoch {
  std::shared_ptr<const snapshot> state;
  // Who is believed: at first as in `state`, then with keys that were fetched since.
  std::shared_ptr<const auth::snapshot> auth;
  std::vector<std::unique_ptr<upstream_use>> upstreams;
  std::optional<auth::minter> minter;  // where there is a key to mint with
  unsigned users = 0;
};

}  // namespace rw::gateway
