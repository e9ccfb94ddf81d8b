// Which host patterns does a host match? "*", exact names, and "*.example" for one or more labels
// in front of a name.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "route/inline_text.h"
#include "route/segment_trie.h"

namespace rw::route {

// Any thread may read once nobody adds any more.
class host_index {
 public:
  // The root of a lower-case pattern, made from `trie` when it is new.
  segment_trie::node_id root_of(std::string_view pattern, segment_trie& trie);

  // Calls `visit(root)` for each pattern that matches `host`, as in table::match(). Never
  // allocates.
  template <class F>
  void for_each(std::string_view host, F&& visit) const noexcept {
    if (any_ != segment_trie::none) visit(any_);
    if (count_ == 0) return;
    std::array<char, octets_max> space;
    const std::string_view name = plain(host, space);
    if (name.empty()) return;
    if (exact_count_ > 0) visit_if(name, kind::exact, visit);
    // Every dot with something before it, from the right, no further than the longest pattern goes.
    std::size_t dot = name.size();
    for (std::uint32_t labels = 1; labels <= suffix_labels_max_; ++labels) {
      dot = name.rfind('.', dot - 1);
      if (dot == std::string_view::npos || dot == 0) return;
      visit_if(name.substr(dot + 1), kind::suffix, visit);
    }
  }

 private:
  enum class kind : std::uint8_t { exact = 1, suffix = 2 };

  // No longer name can be in a configuration (RFC 1035 2.3.4), so none can match.
  static constexpr std::size_t octets_max = 256;

  // One cache line.
  struct alignas(64) slot {
    std::uint64_t hash = 0;
    segment_trie::node_id root = segment_trie::none;  // none: free
    kind what = kind::exact;
    inline_text<44> name;
  };

  // Lower case, without port and final dot; empty when it is too long.
  static std::string_view plain(std::string_view host,
                                std::array<char, octets_max>& space) noexcept;
  segment_trie::node_id find(std::string_view name, kind what) const noexcept;
  void put(const slot& one);
  void grow();

  template <class F>
  void visit_if(std::string_view name, kind what, F&& visit) const noexcept {
    const segment_trie::node_id root = find(name, what);
    if (root != segment_trie::none) visit(root);
  }

  segment_trie::node_id any_ = segment_trie::none;
  std::vector<slot> slots_;  // open addressing; a power of two, at most two thirds full
  std::string names_;        // those that do not fit into their slot
  std::size_t count_ = 0;
  std::size_t exact_count_ = 0;
  std::uint32_t suffix_labels_max_ = 0;
};

}  // namespace rw::route
