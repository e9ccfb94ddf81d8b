// Names of routes, upstreams and limits as metric labels: an id each, for good. A reload may bring
// new ones; the number of all there ever were is bounded, so that /metrics is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rw::observe {

class names {
 public:
  static constexpr std::uint32_t capacity = 1024;
  static constexpr std::uint32_t other = 0;  // what came after the table was full

  names() : list_{"other"} {}

  // Any thread but the workers.
  std::uint32_t id_of(std::string_view name) {
    const std::lock_guard hold(lock_);
    const auto found = std::find(list_.begin(), list_.end(), name);
    if (found != list_.end()) return static_cast<std::uint32_t>(found - list_.begin());
    if (list_.size() == capacity) return other;
    list_.emplace_back(name);
    return static_cast<std::uint32_t>(list_.size() - 1);
  }

  std::vector<std::string> all() const {
    const std::lock_guard hold(lock_);
    return list_;
  }

 private:
  mutable std::mutex lock_;
  std::vector<std::string> list_;
};

// One set for the process.
struct label_names {
  names routes;
  names upstreams;
  names limits;
};

}  // namespace rw::observe
