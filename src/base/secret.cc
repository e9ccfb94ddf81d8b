#include "base/secret.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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

bool secrets_can_be_locked() noexcept {
  constexpr std::size_t room = std::size_t{64} * 1024;  // some twenty keys
  void* memory = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  // mlock2(2), since sanitizers make mlock(2) do nothing. On fault: the memory is not touched.
  const bool locked = ::syscall(SYS_mlock2, memory, room, MLOCK_ONFAULT) == 0;
  ::munmap(memory, room);
  return locked;
}

void wipe(void* data, std::size_t size) noexcept { sodium_memzero(data, size); }

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace rw
