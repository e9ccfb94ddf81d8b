// A short text inside the slot of a hash table, so that comparing it costs no second cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace rw::route {

// What memcmp() says of texts of one size, without the call for the short ones.
inline bool equal_octets(const char* a, const char* b, std::size_t size) noexcept {
  const auto same_at = [a, b]<class N>(std::size_t at, N) {
    N left;
    N right;
    std::memcpy(&left, a + at, sizeof left);
    std::memcpy(&right, b + at, sizeof right);
    return left == right;
  };
  if (size > 16) return std::memcmp(a, b, size) == 0;
  if (size >= 8) return same_at(0, std::uint64_t{}) && same_at(size - 8, std::uint64_t{});
  if (size >= 4) return same_at(0, std::uint32_t{}) && same_at(size - 4, std::uint32_t{});
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

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
    return size_ == text.size() && equal_octets(data(pool), text.data(), size_);
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
