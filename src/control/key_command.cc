#include "control/key_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include "auth/slow_hash.h"
#include "base/secret.h"
#include "config/load.h"
#include "config/values.h"
#include "gateway/snapshot_files.h"

namespace rw::control {
namespace {

wall_time now() {
  return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

int fail(std::string_view why) {
  fmt::print(stderr, "ringward: error: {}\n", why);
  return 1;
}

// Null when there is none, or it is wrong: it has been said then.
std::shared_ptr<const auth::key_store> read_keys(const std::string& path) {
  const config::examined read = config::examine(path);
  config::diagnostics problems;
  std::vector<std::string> files;
  std::shared_ptr<const auth::key_store> keys;
  if (config::has_error(read.problems)) {
    problems = read.problems;
  } else if (!read.settings.has_api_keys) {
    fail(fmt::format("{}: has no [auth.api_keys]", path));
  } else {
    gateway::file_reader reader(read.settings.files, problems, files);
    keys = reader.read_keys(read.settings.api_keys);
  }
  for (const config::diagnostic& one : problems) {
    fmt::print(stderr, "{}\n", config::to_string(one));
  }
  return keys;
}

std::string describe(wall_time expires) {
  if (expires == wall_time::max()) return "never";
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(expires)};
  return fmt::format("{:04}-{:02}-{:02}{}", int{day.year()}, unsigned{day.month()},
                     unsigned{day.day()}, now() < expires ? "" : " (ended)");
}

int report(std::string_view name, wall_time expires) {
  if (now() >= expires) return fail(fmt::format("a key of {} that has ended", name));
  fmt::print("{}\n", name);
  return 0;
}

}  // namespace

int list_keys(const std::string& config) {
  const auto keys = read_keys(config);
  if (!keys) return 1;
  auto all = keys->list();
  std::ranges::sort(all, {}, &auth::key_store::listed::name);
  constexpr auto row = "{:<32} {:<10} {:<12} {}\n";
  fmt::print(row, "NAME", "HASH", "RATE", "ENDS");
  for (const auto& one : all) {
    const std::string rate = one.rate.count == 0 ? "" : config::rate_text(one.rate);
    fmt::print(row, one.name, one.kind, rate, describe(one.expires));
  }
  return 0;
}

int check_key(const std::string& config) {
  const auto keys = read_keys(config);
  if (!keys) return 1;
  if (::isatty(STDIN_FILENO) == 1) fmt::print(stderr, "The key, then Enter: ");
  std::string line;
  std::getline(std::cin, line);
  const secret key(line);
  wipe(line.data(), line.size());
  if (const auto owner = keys->find(key.view())) return report(owner->name, owner->expires);
  if (keys->may_be_slow(key.view())) {
    for (const auth::slow_line& one : keys->slow_lines()) {
      if (auth::matches_slow_hash(one.hash, key.view())) return report(one.name, one.expires);
    }
  }
  return fail("this key is in no line of the file");
}

}  // namespace rw::control
