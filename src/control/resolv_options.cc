#include "control/resolv_options.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

namespace rw::control {
namespace {

constexpr std::chrono::seconds timeout_max{5};
constexpr int attempts_max = 5;
constexpr int servers_max = 64;  // more are not told apart; the bound holds with fewer attempts

constexpr std::string_view blank = " \t\r";

std::string_view cut_line(std::string_view& text) noexcept {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

std::string_view cut_word(std::string_view& line) noexcept {
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(blank)));
  const std::string_view word = line.substr(0, line.find_first_of(blank));
  line.remove_prefix(word.size());
  return word;
}

// 0 where `word` is not `name` with a number of its own.
int value_of(std::string_view word, std::string_view name) noexcept {
  if (!word.starts_with(name)) return 0;
  word.remove_prefix(name.size());
  int value = 0;
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
  return failed == std::errc{} && end == word.data() + word.size() ? std::max(value, 0) : 0;
}

std::chrono::seconds time_of(const resolv_options& of, int servers) noexcept {
  return servers * of.timeout * ((1 << of.attempts) - 1);
}

}  // namespace

resolv_options read_resolv_options(std::string_view text) noexcept {
  resolv_options found;
  int servers = 0;
  while (!text.empty()) {
    std::string_view line = cut_line(text);
    const std::string_view key = cut_word(line);
    if (key == "nameserver") servers = std::min(servers + 1, servers_max);
    if (key != "options") continue;
    for (std::string_view word = cut_word(line); !word.empty(); word = cut_word(line)) {
      if (const int n = value_of(word, "timeout:"); n != 0) {
        found.timeout = std::min(std::chrono::seconds{n}, timeout_max);
      }
      if (const int n = value_of(word, "attempts:"); n != 0) {
        found.attempts = std::min(n, attempts_max);
      }
    }
  }
  servers = std::max(servers, 1);  // none: 127.0.0.1 is asked
  while (found.attempts > 1 && time_of(found, servers) > resolv_time_max) --found.attempts;
  while (found.timeout.count() > 1 && time_of(found, servers) > resolv_time_max) --found.timeout;
  return found;
}

resolv_options machine_resolv_options() {
  // Longer ones are nobody's; what is cut off is options that do not count.
  std::string text(64U << 10U, '\0');
  std::ifstream file("/etc/resolv.conf", std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return read_resolv_options(text);
}

}  // namespace rw::control
