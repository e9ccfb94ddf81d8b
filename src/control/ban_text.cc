#include "control/ban_text.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "observe/time_text.h"

namespace rw::control {

bool parse_client(std::string_view text, config::ip16& out) {
  const std::string_view address = cut(text, '/');
  const bool is_ipv4 = address.contains('.') && !address.contains(':');
  const std::string name(address);
  out = {};
  if (is_ipv4) {
    out[10] = out[11] = 0xff;
    return (text.empty() || text == "32") && ::inet_pton(AF_INET, name.c_str(), &out[12]) == 1;
  }
  return (text.empty() || text == "64" || text == "128") &&
         ::inet_pton(AF_INET6, name.c_str(), out.data()) == 1;
}

std::chrono::sys_seconds second_of(wall_time at) {
  return std::chrono::round<std::chrono::seconds>(at);
}

std::string moment(wall_time at) {
  observe::time_text text;
  return fmt::format("{:.19}Z", text.rfc3339(second_of(at)));
}

wall_time until_of(const limit::ban& one, two_clocks now) {
  return now.wall + (one.until - now.mono);
}

limit::ban_cause find_ban_cause(std::string_view text) noexcept {
  for (std::size_t i = 0; i < static_cast<std::size_t>(limit::ban_cause::end); ++i) {
    if (limit::name(static_cast<limit::ban_cause>(i)) == text) {
      return static_cast<limit::ban_cause>(i);
    }
  }
  return limit::ban_cause::by_hand;
}

}  // namespace rw::control
