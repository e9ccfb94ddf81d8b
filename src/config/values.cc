#include "config/values.h"

#include <fmt/core.h>

#include <array>
#include <limits>
#include <ranges>
#include <span>

#include "base/text.h"

namespace rw::config {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t second_ns = 1'000'000'000;

// Smallest first.
constexpr std::array<unit, 5> duration_units{{{"ms", 1'000'000},
                                              {"s", second_ns},
                                              {"m", 60 * second_ns},
                                              {"h", 3'600 * second_ns},
                                              {"d", 86'400 * second_ns}}};

constexpr std::array<unit, 4> size_units{
    {{"B", 1}, {"KiB", 1U << 10U}, {"MiB", 1U << 20U}, {"GiB", 1U << 30U}}};

// One unit's name may end another's ("s" and "ms"): the right one leaves digits only.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const unit> units,
                                             std::uint64_t max) noexcept {
  for (const unit& one : units) {
    if (!text.ends_with(one.name)) continue;
    const auto count = parse_u64(text.substr(0, text.size() - one.name.size()));
    if (count && *count <= max / one.factor) return *count * one.factor;
  }
  return {};
}

std::string with_unit(std::uint64_t count, std::span<const unit> units) {
  for (const unit& one : units | std::views::reverse) {
    if (count % one.factor == 0) return fmt::format("{}{}", count / one.factor, one.name);
  }
  return fmt::format("{}", count);
}

}  // namespace

std::optional<nanoseconds> parse_duration(std::string_view text) noexcept {
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto value = parse_with_unit(text, duration_units, max);
  if (!value) return {};
  return nanoseconds{static_cast<std::int64_t>(*value)};
}

std::optional<std::uint64_t> parse_seconds(std::string_view text) noexcept {
  const auto read = parse_duration(text);
  if (!read || *read <= nanoseconds{0}) return {};
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(*read).count());
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  if (text == "0") return 0;
  return parse_with_unit(text, size_units, std::numeric_limits<std::uint64_t>::max());
}

std::optional<rate> parse_rate(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const auto count = parse_u64(text.substr(0, slash));
  if (!count || *count == 0) return {};
  const std::string_view per = text.substr(slash + 1);
  if (per == "s") return rate{.count = *count, .per = std::chrono::seconds{1}};
  if (per == "m") return rate{.count = *count, .per = std::chrono::minutes{1}};
  if (per == "h") return rate{.count = *count, .per = std::chrono::hours{1}};
  return {};
}

std::string duration_text(nanoseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  if (count == 0) return "0s";
  if (count % duration_units.front().factor != 0) return fmt::format("{}ns", count);
  return with_unit(count, duration_units);
}

std::string rate_text(const rate& value) {
  const char* per = "h";
  if (value.per == std::chrono::seconds{1}) per = "s";
  if (value.per == std::chrono::minutes{1}) per = "m";
  return fmt::format("{}/{}", value.count, per);
}

std::string size_text(std::uint64_t octets) {
  return octets == 0 ? "0" : with_unit(octets, size_units);
}

}  // namespace rw::config
