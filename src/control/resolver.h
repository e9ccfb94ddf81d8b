// Host names to addresses: c-ares, driven by the loop of the control thread.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/cidr.h"
#include "io/loop.h"
#include "io/task.h"

namespace rw::control {

struct resolved {
  // A and AAAA, each once, in ascending order, so that two answers are compared by ==. Never empty
  // and never more than addresses_max. net::to_socket_address() makes one ready for connect().
  std::vector<config::ip16> addresses;
  nanoseconds ttl{0};  // of the answer, within [ttl_min, ttl_max]
  bool local = false;  // from /etc/hosts, or an address in letters: no name server was asked
  std::string name;    // as it was asked for in the end: with the search domain that had it
  // Why the addresses of one family are those that were known before; "" where both have been
  // answered for. A literal.
  const char* kept = "";
};

// Of the thread of its loop. Every lookup has a channel of its own: it reads /etc/resolv.conf,
// /etc/hosts and /etc/nsswitch.conf as they are now (small local files: the only thing that could
// block), asks from a port that the kernel has drawn and by an id that c-ares has, and leaves
// nothing behind. Truncated answers are asked for again over TCP.
class resolver {
 public:
  static constexpr std::chrono::seconds ttl_min{1};
  static constexpr std::chrono::minutes ttl_max{5};
  // Of one name: what a name server says is not ours, and each address costs a server's memory.
  static constexpr std::size_t addresses_max = 64;
  explicit resolver(io::loop& on);
  ~resolver();  // nothing may be under way: end(), then turn the loop
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;

  // Search domains are tried for a name with fewer dots than `ndots`; one with a final dot is
  // complete. `name` and `known` must stay until the end.
  //
  // A name server may answer for one family and fail with the other, which c-ares takes for an
  // answer. So where `known`, what the name came to before, has addresses of a family that is not
  // in the answer, that family is asked for again by itself: it is gone when the name server says
  // so, and kept as it was known when that fails. Errors: not_found for a name that is not there or
  // has no address, timed_out when `by` has come or no name server answers, canceled after end(),
  // refused, unreachable, malformed and system for what else name servers do. The texts are for
  // the log.
  io::task<result<resolved>> resolve(std::string_view name, mono_time by,
                                     const std::vector<config::ip16>& known = {});

  // Ends what is under way, and everything that is asked from now on, as canceled.
  void end() noexcept;

 private:
  class lookup;
  enum class families : std::uint8_t { both, v4, v6 };

  io::task<result<resolved>> ask(std::string name, families which, mono_time by);

  io::loop& loop_;
  std::list<lookup*> under_way_;
  bool ended_ = false;
};

// What an answer comes to: each usable address once, ascending, at most `resolver::addresses_max`.
// 0.0.0.0, ::, multicast and link-local IPv6 (which would need a zone) are nobody's origin.
std::vector<config::ip16> tidy(std::vector<config::ip16> found);

nanoseconds bounded_ttl(std::chrono::seconds said) noexcept;

}  // namespace rw::control
