// Who is shut out, and who is about to be: failures and bans by client address, shared by all
// workers. Fixed memory, no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/cidr.h"
#include "limit/cells.h"
#include "limit/key.h"
#include "limit/sentences.h"

namespace rw::limit {

// What counts against a client, and what it was banned for.
enum class ban_cause : std::uint8_t {
  unauthorized,
  expired,
  forbidden,
  malformed,
  handshake,
  by_hand,
  end
};

// A client in `ban_table`: an IPv4 address, mapped or not, or the /64 of an IPv6 one, of which the
// last eight octets are 0. ::/64 is one with 0:0:0:1::/64, where nobody lives.
config::ip16 banned_network(const config::ip16& ip) noexcept;

// "unauthorized"; stable.
std::string_view name(ban_cause what) noexcept;

struct ban {
  config::ip16 client{};  // as banned_network() makes it
  mono_time until;
  unsigned repeat = 1;  // 1: the first in a row
  ban_cause cause = ban_cause::by_hand;
};

// How many failures, of a weight each, within which time lead to a ban of which length.
struct ban_rule {
  std::uint32_t failures = 10;
  nanoseconds within{0};
  nanoseconds lasts{0};  // twice as long for each repeat, ban_table::longest at most
};

class ban_table {
 public:
  // Places for bans, and as many for clients that have failed; 16 octets each. A client's hash
  // leads to 8 of them.
  static constexpr std::uint32_t capacity = 65'536;
  static constexpr nanoseconds longest = std::chrono::hours{24};  // by failures
  // A client that has not been banned for so long is a first offender again.
  static constexpr nanoseconds forgotten_after = std::chrono::hours{24};

  explicit ban_table(std::uint32_t places = capacity);

  // ---- any thread; nothing allocates or waits
  // Some 30 ns; one load when nobody has been banned for as long as any ban lasts.
  bool holds(const config::ip16& ip, mono_time now) const noexcept;

  enum class effect : std::uint8_t {
    noted,   // or was banned already
    banned,  // by this very failure: `made` says how
    full     // it would be, but all places for its ban hold others in force
  };
  // One failure of the client. `weight`: 0 is nothing.
  effect fail(const config::ip16& ip, std::uint32_t weight, ban_cause cause, const ban_rule& rule,
              mono_time now, ban& made) noexcept;

  // Bans, or changes a ban. False: all places for it hold others in force.
  bool set(const ban& one, mono_time now) noexcept;
  // Ends a ban and forgets its repeats. False: there was none in force.
  bool lift(const config::ip16& ip, mono_time now) noexcept;

  // Grows with every ban that is made, changed or lifted.
  std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }
  // Clients that had failed and were forgotten for lack of room, and bans that were not made.
  std::uint64_t failures_forgotten() const noexcept { return failures_.forgiven(); }
  std::uint64_t bans_refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

  // ---- one thread at a time
  // All that are in force, and those that are over and not forgotten yet, by address. Looks at
  // every place, which takes a fraction of a millisecond; forgets what is to be.
  std::vector<ban> all(mono_time now);

 private:
  std::uint64_t hash(std::uint64_t tag) const noexcept;
  void changed(std::uint64_t until_ms) noexcept;

  hash_key secret_{};
  cells failures_;
  cells bans_;
  std::atomic<std::uint64_t> last_end_ms_{0};  // of all bans there ever were
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace rw::limit
