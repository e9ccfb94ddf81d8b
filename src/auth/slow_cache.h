// What slow hashes said of keys that were presented: so that one costs a hash every few minutes,
// and a wrong one sent again costs none. Fixed memory; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "auth/key_store.h"
#include "auth/slow_hash.h"
#include "base/clock.h"

namespace rw::auth {

// A line of the key file, or the lines of one: what was found holds for as long as it is there.
struct slow_answer {
  key_digest key{};
  bool matched = false;
  record_id about{};  // the line that matched, or all that did not: key_store::slow_lines()
};

class slow_cache {
 public:
  static constexpr std::size_t entries = 2048;
  // A wrong key may be made good by a change of the file, which is another `about`: this is only
  // for what a client tries over and over.
  static constexpr std::chrono::seconds wrong_for{10};

  slow_cache();

  // What is known of the key, however old: `fresh` says whether it still counts.
  struct found {
    slow_answer what;
    bool fresh = false;
  };
  std::optional<found> find(const key_digest& key, mono_time now) const noexcept;
  // `right_for`: how long a match is remembered. Wrong keys never push out a right one.
  void insert(const slow_answer& what, mono_time now, nanoseconds right_for) noexcept;

 private:
  static constexpr std::size_t ways = 4;
  struct slot {
    slow_answer what;
    mono_time until;  // the epoch: empty
  };
  std::size_t set_of(const key_digest& key) const noexcept;

  std::vector<slot> slots_;
};

}  // namespace rw::auth
