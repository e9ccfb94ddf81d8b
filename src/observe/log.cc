#include "observe/log.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace rw::observe {

void log::write(level one, std::string_view text) const {
  if (!shows(one)) return;
  static constexpr std::array<std::string_view, 4> names = {"error", "warning", "info", "debug"};
  std::string line = "ringward: ";
  line.append(names[static_cast<std::size_t>(one)]).append(": ");
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    line += control ? ' ' : c;
  }
  line += '\n';
  // Nowhere to report that stderr cannot be written to.
  while (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace rw::observe
