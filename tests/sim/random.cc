// In place of src/base/random.cc: a run is repeated exactly by its seed, and so are the ids, the
// hash keys and the choices of the gateway in it.
#include "base/random.h"

#include <sodium.h>

#include <span>

#include "base/assert.h"
#include "seeded.h"

namespace rw {
namespace sim {
namespace {
std::mt19937_64 source;
}
void seed_random(std::uint64_t seed) { source.seed(seed); }
}  // namespace sim

void random_init() { RW_ASSERT(sodium_init() >= 0); }

void random_bytes(std::span<std::byte> out) noexcept {
  for (std::byte& one : out) one = static_cast<std::byte>(sim::source());
}

std::string random_base62(std::size_t length) {
  constexpr char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string made(length, '\0');
  for (char& c : made) c = digits[sim::source() % 62];
  return made;
}

}  // namespace rw

// wolfCrypt's own, which its build takes from outside: signatures differ in size by what was drawn.
extern "C" int rw_kernel_random(unsigned char* out, unsigned int size) {
  rw::random_bytes(std::as_writable_bytes(std::span(out, size)));
  return 0;
}
