#include "http/date.h"

#include <chrono>
#include <cstring>

namespace rw::http {

namespace {

void two_digits(char* to, unsigned value) noexcept {
  to[0] = static_cast<char>('0' + value / 10 % 10);
  to[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

date_text format_date(wall_time now) noexcept {
  using namespace std::chrono;
  static constexpr char days[] = "SunMonTueWedThuFriSat";
  static constexpr char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto midnight = floor<std::chrono::days>(now);
  const year_month_day date{midnight};
  const hh_mm_ss<seconds> clock{floor<seconds>(now - midnight)};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  date_text out;
  char* to = out.text.data();
  std::memcpy(to, "Sun, 06 Nov 1994 08:49:37 GMT", out.text.size());
  std::memcpy(to, days + 3 * static_cast<std::size_t>(weekday{midnight}.c_encoding()), 3);
  two_digits(to + 5, static_cast<unsigned>(date.day()));
  std::memcpy(to + 8, months + 3 * (static_cast<std::size_t>(unsigned{date.month()}) - 1), 3);
  two_digits(to + 12, year / 100);
  two_digits(to + 14, year % 100);
  two_digits(to + 17, static_cast<unsigned>(clock.hours().count()));
  two_digits(to + 20, static_cast<unsigned>(clock.minutes().count()));
  two_digits(to + 23, static_cast<unsigned>(clock.seconds().count()));
  return out;
}

}  // namespace rw::http
