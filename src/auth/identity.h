// A caller's name, by value: 1..256 octets of visible ASCII, so that it can outlive the token, the
// key store and the cache it came from without an allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/text.h"

namespace rw::auth {

inline constexpr std::size_t identity_bytes_max = 256;

class identity {
 public:
  identity() noexcept {}
  identity(const identity& other) noexcept { assign_checked(other.view()); }
  identity& operator=(const identity& other) noexcept {
    if (this != &other) assign_checked(other.view());
    return *this;
  }

  // Takes `text` if it is 1..256 visible ASCII octets; otherwise stays as it was and says false.
  bool assign(std::string_view text) noexcept {
    if (text.size() > identity_bytes_max || !is_visible_ascii(text)) return false;
    assign_checked(text);
    return true;
  }

  // The same for text that has passed that check before: a key's name, a cached token's identity.
  void assign_checked(std::string_view text) noexcept {
    RW_ASSERT(text.size() <= identity_bytes_max);
    text.copy(text_, text.size());  // an empty view may point nowhere, which memcpy does not take
    size_ = static_cast<std::uint16_t>(text.size());
  }

  // Valid for as long as this object stays where it is.
  std::string_view view() const noexcept { return {text_, size_}; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  std::uint16_t size_ = 0;
  char text_[identity_bytes_max];  // deliberately not cleared: only the first size_ octets count
};

}  // namespace rw::auth
