// Tables for people: what `ringward upstreams`, `connections` and the like print.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace rw::control {

using text_rows = std::vector<std::vector<std::string>>;

// Columns as wide as what is in them, two spaces between; the first `left_columns` to the left, the
// others, numbers, to the right. All rows are as long as the first one, which there must be.
std::string align(const text_rows& rows, std::size_t left_columns);

// "90s", "5m", "3h", "4d".
std::string age_text(nanoseconds time);
// "500us", "1.2ms", "3.0s".
std::string duration_text(double ns);
// "512", "1.5K", "20M": bytes, in powers of 1024.
std::string bytes_text(std::uint64_t bytes);

}  // namespace rw::control
