#include "control/certificate_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace rw::control {
namespace {

using std::chrono::days;
constexpr std::array<nanoseconds, 4> bounds = {days{30}, days{7}, days{1}, days{0}};

std::string describe(nanoseconds left) {
  if (left < nanoseconds{0}) return "has expired";
  const auto whole = std::chrono::duration_cast<days>(left).count();
  if (whole == 0) return "expires within a day";
  return whole == 1 ? "expires in 1 day" : fmt::format("expires in {} days", whole);
}

}  // namespace

std::vector<certificate_watch::notice> certificate_watch::look(
    std::span<const observe::certificate_end> all, wall_time now) {
  std::vector<notice> list;
  // Those that are in use no longer are forgotten.
  auto before = std::exchange(said_, {});
  for (const observe::certificate_end& one : all) {
    const nanoseconds left = one.at - now;
    const auto passed = static_cast<std::size_t>(
        std::ranges::count_if(bounds, [left](nanoseconds bound) { return left < bound; }));
    const std::pair key(one.chain, one.at);
    const auto found = before.find(key);
    const std::size_t told = found != before.end() ? found->second : 0;
    const auto [at, first] = said_.try_emplace(key, std::max(passed, told));
    if (!first || passed <= told) continue;
    list.push_back({.chain = one.chain,
                    .text = fmt::format("{}: the certificate of {} {} {}", one.chain, one.role,
                                        one.name, describe(left)),
                    .is_new = found == before.end()});
  }
  return list;
}

}  // namespace rw::control
