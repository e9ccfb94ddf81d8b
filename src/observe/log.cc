#include "observe/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace rw::observe {
namespace {

constexpr std::array<std::string_view, 4> names = {"error", "warning", "info", "debug"};

}  // namespace

std::string_view name_of(level one) noexcept { return names[static_cast<std::size_t>(one)]; }

std::optional<level> level_named(std::string_view name) noexcept {
  const auto* const at = std::ranges::find(names, name);
  if (at == names.end()) return std::nullopt;
  return static_cast<level>(at - names.begin());
}

void log::write(level one, std::string_view text) const {
  if (!shows(one)) return;
  std::string line = "ringward: ";
  line.append(name_of(one)).append(": ");
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
