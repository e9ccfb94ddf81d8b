#include "config/name_index.h"

namespace rw::config {

const name_index::entry* name_index::add(std::string_view name, place at) {
  const auto [where, is_new] = entries_.try_emplace(std::string(name), entry{next_, at});
  ++next_;
  return is_new ? nullptr : &where->second;
}

std::optional<std::uint32_t> name_index::use(std::string_view name) {
  const auto where = entries_.find(name);
  if (where == entries_.end()) return {};
  where->second.is_used = true;
  return where->second.index;
}

std::vector<std::string_view> name_index::names() const {
  std::vector<std::string_view> out;
  out.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) out.push_back(name);
  return out;
}

}  // namespace rw::config
