// Path patterns by host pattern, as a trie of path segments whose edges all live in one hash table:
// a lookup costs one probe per segment, however many routes there are, and stops where the
// patterns do, however long the path is.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "route/inline_text.h"

namespace rw::route {

// A set of methods; bit i is the i-th name of whoever numbers them.
using method_set = std::uint64_t;

// Any thread may read once nobody adds any more.
class segment_trie {
 public:
  using node_id = std::uint32_t;
  static constexpr node_id none = 0xffffffff;
  static constexpr std::uint32_t no_entry = 0xffffffff;

  enum class pattern : std::uint8_t {
    exact,   // the path itself
    prefix,  // the path and, after a "/", everything below it; one that ends in "/": only the
             // latter
  };

  // What was added last for a pattern must have a higher `value` than what was added before.
  struct entry {
    std::uint32_t value;
    method_set methods;
  };

  struct found {
    std::uint32_t value = no_entry;  // the lowest whose methods meet the question's
    method_set others = 0;           // of all whose path matches, when none does
  };

  // Where a tree begins; one per host pattern.
  node_id add_root();
  // `path` begins with "/".
  void add(node_id root, pattern kind, std::string_view path, entry one);
  // To be called once, after the last add().
  void seal();

  // Looks for values below `best.value` only, and betters `best`.
  void find(node_id root, std::string_view path, method_set method, found& best) const noexcept;

 private:
  // A range of entries_.
  struct run {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
  };

  struct node {
    run exact;  // the path ends here
    run here;   // a segment ends here
    run below;  // a "/" follows
  };

  // One cache line: the way to a child, and the child.
  struct alignas(64) edge {
    std::uint64_t hash = 0;
    node_id parent = none;
    node_id child = none;        // none: a free slot
    node to;                     // set by seal()
    std::uint32_t is_inner = 0;  // whether the child has children; set by seal()
    inline_text<16> segment;
  };

  // Entries while the trie is being built.
  struct draft {
    std::vector<entry> exact;
    std::vector<entry> here;
    std::vector<entry> below;
    bool is_inner = false;
  };

  const edge* edge_to(node_id parent, std::string_view segment) const noexcept;
  node_id make_child(node_id parent, std::string_view segment);
  void grow();
  void place_edge(const edge& one);
  run put(const std::vector<entry>& from);
  void consider(run entries, method_set method, found& best) const noexcept;

  std::vector<node> nodes_;  // read for roots only: edges hold a copy of every other
  std::vector<entry> entries_;
  std::vector<edge> edges_;  // open addressing; a power of two, at most two thirds full
  std::size_t edge_count_ = 0;
  std::string texts_;  // of the segments that do not fit into their edge
  std::vector<draft> drafts_;
};

// Of text that an operator chose: lookups of any text are bounded by the fixed table's longest run,
// so that nobody gains by choosing what to look up.
std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept;

}  // namespace rw::route
