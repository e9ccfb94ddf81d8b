// A snapshot as one worker uses it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "auth/mint.h"
#include "gateway/snapshot.h"
#include "upstream/pool.h"

namespace rw::gateway {

// Counted without atomics: workers share the snapshot, not the line its count is in. Dropped when
// it is not the present one and its last exchange has ended.
struct epoch {
  std::shared_ptr<const snapshot> state;
  std::vector<std::vector<upstream::server_pool*>> servers;  // by upstream, then by server
  std::optional<auth::minter> minter;                        // where there is a key to mint with
  unsigned users = 0;
};

}  // namespace rw::gateway
