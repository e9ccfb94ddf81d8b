// A short text inside the slot of a hash table, so that comparing it costs no second cache line.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace rw::route {

// Up to `Octets` are kept here, longer texts in a pool that all texts of one table share.
template <std::uint32_t Octets>
class inline_text {
 public:
  inline_text() = default;
  inline_text(std::string_view text, std::string& pool)
      : size_(static_cast<std::uint32_t>(text.size())) {
    if (size_ <= Octets) {
      std::memcpy(space_, text.data(), size_);
    } else {
      const auto offset = static_cast<std::uint32_t>(pool.size());
      std::memcpy(space_, &offset, sizeof offset);
      pool += text;
    }
  }

  bool equals(std::string_view text, const std::string& pool) const noexcept {
    return size_ == text.size() && std::memcmp(data(pool), text.data(), size_) == 0;
  }

 private:
  const char* data(const std::string& pool) const noexcept {
    if (size_ <= Octets) return space_;
    std::uint32_t offset = 0;
    std::memcpy(&offset, space_, sizeof offset);
    return pool.data() + offset;
  }

  std::uint32_t size_ = 0;
  char space_[Octets] = {};
};

}  // namespace rw::route
