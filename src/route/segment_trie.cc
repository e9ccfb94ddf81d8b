#include "route/segment_trie.h"

#include <cstring>

#include "base/assert.h"

namespace rw::route {
namespace {

constexpr std::uint64_t multiplier = 0x9e3779b97f4a7c15;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using u128 = unsigned __int128;
  const u128 product = static_cast<u128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

template <class N>
std::uint64_t load(const char* from) noexcept {
  N out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

// Up to eight octets as a number, without reading past them.
std::uint64_t load_tail(const char* from, std::size_t size) noexcept {
  if (size >= 4) return load<std::uint32_t>(from) | load<std::uint32_t>(from + size - 4) << 32U;
  if (size == 0) return 0;
  const auto octet = [from](std::size_t i) {
    return std::uint64_t{static_cast<unsigned char>(from[i])};
  };
  return octet(0) | octet(size / 2) << 8U | octet(size - 1) << 16U;
}

// Offset of the first "/" at or after `begin`, or the size. Segments are short: a call costs more.
std::size_t segment_end(std::string_view path, std::size_t begin) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t slashes = ones * '/';
  while (begin + 8 <= path.size()) {
    const std::uint64_t word = load<std::uint64_t>(path.data() + begin) ^ slashes;
    const std::uint64_t zero = (word - ones) & ~word & (ones << 7U);
    if (zero != 0) return begin + static_cast<std::size_t>(__builtin_ctzll(zero)) / 8;
    begin += 8;
  }
  while (begin < path.size() && path[begin] != '/') ++begin;
  return begin;
}

}  // namespace

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t hash = (seed + text.size()) * multiplier;
  for (; left > 8; at += 8, left -= 8) hash = mix(hash ^ load<std::uint64_t>(at), multiplier);
  const std::uint64_t tail = left == 8 ? load<std::uint64_t>(at) : load_tail(at, left);
  return mix(hash ^ tail, multiplier);
}

segment_trie::node_id segment_trie::add_root() {
  nodes_.emplace_back();
  drafts_.emplace_back();
  return static_cast<node_id>(nodes_.size() - 1);
}

void segment_trie::add(node_id root, pattern kind, std::string_view path, entry one) {
  RW_ASSERT(path.starts_with('/') && drafts_.size() == nodes_.size());
  const bool is_below = kind == pattern::prefix && path.ends_with('/');
  if (is_below) path.remove_suffix(1);
  node_id at = root;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = segment_end(path, begin);
    at = make_child(at, path.substr(begin, end - begin));
    begin = end + 1;
  }
  draft& to = drafts_[at];
  std::vector<entry>& list = kind == pattern::exact ? to.exact : is_below ? to.below : to.here;
  // What those before it take of this very pattern never gets here.
  method_set taken = 0;
  for (const entry& before : list) taken |= before.methods;
  if ((one.methods & ~taken) != 0) list.push_back(one);
}

segment_trie::node_id segment_trie::make_child(node_id parent, std::string_view segment) {
  if (const edge* known = edge_to(parent, segment); known != nullptr) return known->child;
  if ((edge_count_ + 1) * 3 > edges_.size() * 2) grow();
  drafts_[parent].is_inner = true;
  const node_id child = add_root();
  place_edge({.hash = hash_text(segment, parent),
              .parent = parent,
              .child = child,
              .segment = {segment, texts_}});
  ++edge_count_;
  return child;
}

void segment_trie::grow() {
  std::vector<edge> old(edges_.empty() ? 16 : edges_.size() * 2);
  old.swap(edges_);
  for (const edge& one : old) {
    if (one.child != none) place_edge(one);
  }
}

void segment_trie::place_edge(const edge& one) {
  const std::size_t mask = edges_.size() - 1;
  std::size_t slot = one.hash & mask;
  while (edges_[slot].child != none) slot = (slot + 1) & mask;
  edges_[slot] = one;
}

const segment_trie::edge* segment_trie::edge_to(node_id parent,
                                                std::string_view segment) const noexcept {
  if (edges_.empty()) return nullptr;
  const std::uint64_t hash = hash_text(segment, parent);
  const std::size_t mask = edges_.size() - 1;
  for (std::size_t slot = hash & mask; edges_[slot].child != none; slot = (slot + 1) & mask) {
    const edge& one = edges_[slot];
    if (one.hash == hash && one.parent == parent && one.segment.equals(segment, texts_)) {
      return &one;
    }
  }
  return nullptr;
}

segment_trie::run segment_trie::put(const std::vector<entry>& from) {
  const run out{.begin = static_cast<std::uint32_t>(entries_.size()),
                .size = static_cast<std::uint32_t>(from.size())};
  entries_.insert(entries_.end(), from.begin(), from.end());
  return out;
}

void segment_trie::seal() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i] = {.exact = put(drafts_[i].exact),
                 .here = put(drafts_[i].here),
                 .below = put(drafts_[i].below)};
  }
  for (edge& one : edges_) {
    if (one.child == none) continue;
    one.to = nodes_[one.child];
    one.is_inner = drafts_[one.child].is_inner ? 1 : 0;
  }
  drafts_ = {};
}

void segment_trie::consider(run entries, method_set method, found& best) const noexcept {
  for (std::uint32_t i = 0; i < entries.size; ++i) {
    const entry& one = entries_[entries.begin + i];
    if (one.value >= best.value) return;
    if ((one.methods & method) != 0) {
      best.value = one.value;
      return;
    }
    best.others |= one.methods;
  }
}

void segment_trie::find(node_id root, std::string_view path, method_set method,
                        found& best) const noexcept {
  const node* here = &nodes_[root];
  node_id id = root;
  bool is_inner = true;
  for (std::size_t begin = 1;;) {
    consider(here->here, method, best);
    if (begin > path.size()) return consider(here->exact, method, best);
    consider(here->below, method, best);
    if (!is_inner) return;
    const std::size_t end = segment_end(path, begin);
    const edge* next = edge_to(id, path.substr(begin, end - begin));
    if (next == nullptr) return;
    here = &next->to;
    id = next->child;
    is_inner = next->is_inner != 0;
    begin = end + 1;
  }
}

}  // namespace rw::route
