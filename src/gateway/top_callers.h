// Who has asked most of late, for `ringward top`: in bounded memory, whoever comes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "base/clock.h"
#include "config/cidr.h"
#include "limit/key.h"

namespace rw::gateway {

// A caller is an identity, or without one a client's address: the /64 of an IPv6 one. Callers of
// one name are one, whoever vouches for them.
struct caller_row {
  std::string identity;    // empty: it is the address
  config::ip16 address{};  // all zero with an identity
  bool is_unix = false;    // a unix socket's peer, which has none
  // Per second, of requests that ended in the last 4 to 8 seconds; of a caller that came later
  // since then.
  double requests = 0;
  double refused = 0;  // of them, those with a reason in the access log
  double bytes_in = 0;
  double bytes_out = 0;
};

// Of one worker, on its thread. Space-Saving (Metwally, Agrawal, El Abbadi, 2005) in sets: who
// comes to a full set takes the place of its smallest, and its weight, so that one who asks often
// comes to stay however many others ask once. All weights are halved each half_life, or who asked
// much yesterday would keep the place of who does now. A caller with more than a sixteenth of its
// set's weight is there. Sets are chosen by a keyed hash: with 0.5 % of all requests that is so
// unless 16 others as busy share its set, which of 200 such callers one in 1,000 would find.
class top_callers {
 public:
  static constexpr std::size_t ways = 16;
  static constexpr std::size_t sets = 32;
  static constexpr std::size_t rows_max = ways * sets;
  static constexpr nanoseconds half_life = std::chrono::seconds{4};

  top_callers();

  struct request {
    std::string_view identity;
    const config::ip16& client;
    bool is_unix = false;
    bool refused = false;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };
  void add(const request& of, mono_time now);
  static std::size_t bytes() noexcept;  // of memory, whoever comes
  // In no order.
  std::vector<caller_row> rates(mono_time now) const;

 private:
  struct sums {
    double requests = 0;
    double refused = 0;
    double bytes_in = 0;
    double bytes_out = 0;
  };
  struct entry {
    auth::identity who;
    config::ip16 address{};
    bool is_unix = false;
    mono_time came;
    sums made;
  };
  // Of one hash: what is looked through first lies together.
  struct set {
    std::array<std::uint64_t, ways> tags{};  // 0: free
    std::array<double, ways> weights{};
    std::int64_t period = 0;  // of half_life: that of the last request
    std::array<entry, ways> entries;
  };
  static void fade(set& in, std::int64_t period) noexcept;

  std::vector<set> sets_;
  limit::hash_key secret_{};
};

}  // namespace rw::gateway
