// The routes of one configuration, ready to be asked: which one takes this request?
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "route/host_index.h"
#include "route/segment_trie.h"

namespace rw::route {

enum class outcome : std::uint8_t { found, not_found, method_not_allowed };

struct match_result {
  outcome what = outcome::not_found;
  std::uint32_t index = 0;               // of the route, when found
  const config::route* route = nullptr;  // when found
  method_set allowed = 0;                // when method_not_allowed: for append_allow()
};

// Immutable; any thread. Keeps a view of the routes, which must outlive it and stay where they are.
class table {
 public:
  // The routes together name at most 48 methods, which config::load() has checked.
  explicit table(std::span<const config::route> routes);

  // First match wins, in the order of the configuration. `host` as the client sent it: any case,
  // with or without a port or a final dot. `path` is normalised and starts with "/" (any other
  // matches nothing); no query. A route for GET also takes HEAD. Never allocates.
  match_result match(std::string_view host, std::string_view path,
                     std::string_view method) const noexcept;

  // Whether any route is for `host`, whatever its path: as in match().
  bool knows(std::string_view host) const noexcept;

  // The value of Allow (RFC 9110 10.2.1) for a method_not_allowed of this table: "GET, HEAD, POST".
  void append_allow(std::string& out, const match_result& refused) const;

 private:
  method_set bit_of(std::string_view method) const noexcept;
  method_set methods_of(const config::route& route);

  std::span<const config::route> routes_;
  std::vector<std::string> methods_;  // position: the bit in a method_set
  segment_trie trie_;
  host_index hosts_;
};

// What a route with strip_prefix forwards of a path it matched: "/api/x" -> "/x", "/api" -> "/".
// Never empty; a view into `path`, or a literal.
std::string_view without_prefix(const config::route& route, std::string_view path) noexcept;

}  // namespace rw::route
