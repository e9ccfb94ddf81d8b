#include "base/random.h"

#include <sodium.h>

#include "base/assert.h"

namespace rw {

void random_init() { RW_ASSERT(sodium_init() >= 0); }

void random_bytes(std::span<std::byte> out) noexcept { randombytes_buf(out.data(), out.size()); }

std::string random_base62(std::size_t length) {
  static constexpr char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string text(length, '0');
  for (char& c : text) c = digits[randombytes_uniform(62)];
  return text;
}

}  // namespace rw
