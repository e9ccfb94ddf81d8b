// The names operators gave to one kind of thing, and which of them others refer to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/report.h"

namespace rw::config {

class name_index {
 public:
  struct entry {
    std::uint32_t index;  // in order of add()
    place at;
    bool is_used = false;
  };
  using entries = std::map<std::string, entry, std::less<>>;

  // The entry that has the name already, or nullptr when it was free. Takes an index either way.
  const entry* add(std::string_view name, place at);

  // The index of what bears the name, which counts as used from now on.
  std::optional<std::uint32_t> use(std::string_view name);

  std::vector<std::string_view> names() const;
  const entries& all() const noexcept { return entries_; }

 private:
  entries entries_;
  std::uint32_t next_ = 0;
};

}  // namespace rw::config
