#include "base/secret.h"

#include <sodium.h>

#include <cstring>
#include <utility>

#include "base/assert.h"

namespace rw {

secret::secret(std::string_view bytes) : size_(bytes.size()) {
  if (size_ == 0) return;
  data_ = static_cast<char*>(sodium_malloc(size_));
  RW_ASSERT(data_ != nullptr);
  std::memcpy(data_, bytes.data(), size_);
  sodium_mprotect_readonly(data_);
}

secret::secret(secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

secret& secret::operator=(secret&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

secret::~secret() { sodium_free(data_); }

void wipe(void* data, std::size_t size) noexcept { sodium_memzero(data, size); }

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace rw
