#include "route/table.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace rw::route {
namespace {

constexpr method_set all_methods = ~method_set{0};

// A method that no route names: in no set but that of all.
constexpr method_set other_method = method_set{1} << 63U;

// The usual ones come first, so that a search ends soon and Allow has its usual order.
constexpr std::array<std::string_view, 8> usual_methods{"GET",    "POST",    "HEAD",  "PUT",
                                                        "DELETE", "OPTIONS", "PATCH", "TRACE"};

constexpr method_set get_bit = 1U << 0U;
constexpr method_set head_bit = 1U << 2U;

}  // namespace

table::table(std::span<const config::route> routes)
    : routes_(routes), methods_(usual_methods.begin(), usual_methods.end()) {
  for (std::uint32_t i = 0; i < routes_.size(); ++i) {
    const config::route& route = routes_[i];
    const segment_trie::entry entry{.value = i, .methods = methods_of(route)};
    const bool is_exact = route.path_prefix.empty();
    for (const std::string& host : route.hosts) {
      trie_.add(hosts_.root_of(host, trie_),
                is_exact ? segment_trie::pattern::exact : segment_trie::pattern::prefix,
                is_exact ? route.path : route.path_prefix, entry);
    }
  }
  trie_.seal();
}

method_set table::methods_of(const config::route& route) {
  if (route.methods.empty()) return all_methods;
  method_set out = 0;
  for (const std::string& method : route.methods) {
    if (bit_of(method) == other_method) {
      methods_.push_back(method);
      RW_ASSERT(methods_.size() < 63);
    }
    out |= bit_of(method);
  }
  return (out & get_bit) != 0 ? out | head_bit : out;
}

method_set table::bit_of(std::string_view method) const noexcept {
  for (std::size_t i = 0; i < methods_.size(); ++i) {
    if (methods_[i] == method) return method_set{1} << i;
  }
  return other_method;
}

match_result table::match(std::string_view host, std::string_view path,
                          std::string_view method) const noexcept {
  if (!path.starts_with('/')) return {};
  const method_set bit = bit_of(method);
  segment_trie::found best;
  hosts_.for_each(host, [&](segment_trie::node_id root) { trie_.find(root, path, bit, best); });
  if (best.value != segment_trie::no_entry) {
    return {.what = outcome::found, .index = best.value, .route = &routes_[best.value]};
  }
  if (best.others != 0) return {.what = outcome::method_not_allowed, .allowed = best.others};
  return {};
}

bool table::knows(std::string_view host) const noexcept {
  bool known = false;
  hosts_.for_each(host, [&known](segment_trie::node_id) { known = true; });
  return known;
}

void table::append_allow(std::string& out, const match_result& refused) const {
  bool is_first = true;
  for (std::size_t i = 0; i < methods_.size(); ++i) {
    if ((refused.allowed >> i & 1U) == 0) continue;
    if (!is_first) out += ", ";
    out += methods_[i];
    is_first = false;
  }
}

std::string_view without_prefix(const config::route& route, std::string_view path) noexcept {
  std::string_view prefix = route.path_prefix;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  RW_ASSERT(path.starts_with(prefix));
  path.remove_prefix(prefix.size());
  return path.empty() ? "/" : path;
}

}  // namespace rw::route
