// The value types of the contract: durations, sizes and rates, read and written.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace rw::config {

// "250ms" "5s" "1m" "1h" "2d". Nothing on a syntax error or overflow.
std::optional<nanoseconds> parse_duration(std::string_view text) noexcept;
// The same in whole seconds, rounded up, for what a command is told: nothing for no time at all
// too.
std::optional<std::uint64_t> parse_seconds(std::string_view text) noexcept;

// "0" "512B" "64KiB" "1MiB" "2GiB", in octets. Nothing on a syntax error or overflow.
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

// "10/s" "300/m" "5000/h". Nothing on a syntax error; "0/s" is nothing too.
std::optional<rate> parse_rate(std::string_view text) noexcept;

// In the largest unit that leaves no rest, as in "90s" or "2h".
std::string duration_text(nanoseconds value);
std::string size_text(std::uint64_t octets);
std::string rate_text(const rate& value);  // of what parse_rate() gives

}  // namespace rw::config
