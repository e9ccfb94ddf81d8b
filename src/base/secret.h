// A secret's bytes, in libsodium's guarded memory: locked, not dumped, zeroed when it goes.
#pragma once

#include <cstddef>
#include <string_view>

namespace rw {

// Immutable once made; shared by const reference or moved, never copied. Any thread may read.
class secret {
 public:
  secret() = default;
  // Copies `bytes` into guarded memory. Aborts when the machine has none left.
  explicit secret(std::string_view bytes);
  secret(secret&& other) noexcept;
  secret& operator=(secret&& other) noexcept;
  ~secret();

  // Valid for as long as this object is.
  std::string_view view() const noexcept { return {data_, size_}; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Whether there is room to lock more of them in memory (RLIMIT_MEMLOCK). Where there is none,
// secrets are kept all the same, and may be written to swap.
bool secrets_can_be_locked() noexcept;

// Overwrites memory that held a secret, in a way no optimiser removes.
void wipe(void* data, std::size_t size) noexcept;

// Time depends on the sizes alone.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace rw
