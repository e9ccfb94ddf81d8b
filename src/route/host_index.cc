#include "route/host_index.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace rw::route {

segment_trie::node_id host_index::root_of(std::string_view pattern, segment_trie& trie) {
  if (pattern == "*") {
    if (any_ == segment_trie::none) any_ = trie.add_root();
    return any_;
  }
  const bool is_suffix = pattern.starts_with("*.");
  const std::string_view name = is_suffix ? pattern.substr(2) : pattern;
  const kind what = is_suffix ? kind::suffix : kind::exact;
  RW_ASSERT(!name.empty() && name.size() < octets_max);
  if (const auto known = find(name, what); known != segment_trie::none) return known;
  if ((count_ + 1) * 3 > slots_.size() * 2) grow();
  const segment_trie::node_id root = trie.add_root();
  put({.hash = hash_text(name, static_cast<std::uint64_t>(what)),
       .root = root,
       .what = what,
       .name = {name, names_}});
  ++count_;
  if (is_suffix) {
    const auto labels = static_cast<std::uint32_t>(std::ranges::count(name, '.') + 1);
    suffix_labels_max_ = std::max(suffix_labels_max_, labels);
  } else {
    ++exact_count_;
  }
  return root;
}

std::string_view host_index::plain(std::string_view host,
                                   std::array<char, octets_max>& space) noexcept {
  if (host.starts_with('[')) {
    host = host.substr(0, host.find(']') + 1);
  } else {
    host = host.substr(0, host.find(':'));
    if (host.ends_with('.')) host.remove_suffix(1);
  }
  if (host.size() > space.size()) return {};
  for (std::size_t i = 0; i < host.size(); ++i) space[i] = ascii_lower(host[i]);
  return {space.data(), host.size()};
}

segment_trie::node_id host_index::find(std::string_view name, kind what) const noexcept {
  if (slots_.empty()) return segment_trie::none;
  const std::uint64_t hash = hash_text(name, static_cast<std::uint64_t>(what));
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask; slots_[i].root != segment_trie::none; i = (i + 1) & mask) {
    const slot& one = slots_[i];
    if (one.hash == hash && one.what == what && one.name.equals(name, names_)) return one.root;
  }
  return segment_trie::none;
}

void host_index::put(const slot& one) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = one.hash & mask;
  while (slots_[i].root != segment_trie::none) i = (i + 1) & mask;
  slots_[i] = one;
}

void host_index::grow() {
  std::vector<slot> old(slots_.empty() ? 16 : slots_.size() * 2);
  old.swap(slots_);
  for (const slot& one : old) {
    if (one.root != segment_trie::none) put(one);
  }
}

}  // namespace rw::route
