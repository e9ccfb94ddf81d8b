// IMF-fixdate (RFC 9110 5.6.7), the form of Date.
#pragma once

#include <array>
#include <string_view>

#include "base/clock.h"

namespace rw::http {

// "Sun, 06 Nov 1994 08:49:37 GMT". For one second's use: the owner keeps it and makes a new one
// when the second has passed.
struct date_text {
  std::array<char, 29> text;
  std::string_view view() const noexcept { return {text.data(), text.size()}; }
};

// `now` between the years 0 and 9999; fractions of a second are cut off.
date_text format_date(wall_time now) noexcept;

}  // namespace rw::http
