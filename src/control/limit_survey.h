// Which keys of a limit have used most of it, for `ringward limits NAME`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/authenticate.h"
#include "gateway/snapshot.h"
#include "io/loop.h"
#include "io/task.h"
#include "limit/limiter.h"

namespace rw::control {

struct limit_survey {
  std::size_t owing = 0;                    // keys that have not their whole budget
  std::vector<limit::limiter::holder> top;  // of them, that with the least first
};

// Looks at every entry of the limit, part by part, with a turn of the loop after each: on the
// control thread. Nobody waits for it; workers fetch each line once more that they write next.
io::task<limit_survey> survey_limit(io::loop& on, std::shared_ptr<const gateway::snapshot> state,
                                    std::uint32_t index, std::size_t most);

// A limit keeps digests alone. Names of those whose parts can be listed, which are our own callers
// and the routes; an address is found in none.
class limit_names {
 public:
  // Callers and routes together whose digests are computed; 50 ns each.
  static constexpr std::size_t names_max = 100'000;

  limit_names(const gateway::snapshot& state, const auth::snapshot& keys, std::uint32_t index);
  std::string_view find(limit::key key) const;  // empty: nobody knows

 private:
  using entry = std::pair<std::uint64_t, std::string>;
  std::vector<entry> names_;
};

}  // namespace rw::control
