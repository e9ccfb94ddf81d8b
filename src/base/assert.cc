#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace rw {

void assert_failed(const char* file, int line, const char* expression) noexcept {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace rw
