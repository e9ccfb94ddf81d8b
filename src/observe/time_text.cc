#include "observe/time_text.h"

#include <algorithm>
#include <ctime>

namespace rw::observe {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

void digits(char* at, int count, std::int64_t value) noexcept {
  for (int i = count; i-- > 0; value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

}  // namespace

void time_text::refresh(std::int64_t second) noexcept {
  if (second == second_) return;
  second_ = second;
  const std::time_t seconds = second;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::strftime(rfc3339_.data(), rfc3339_.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  // Month names are the C locale's: setlocale() is never called.
  std::array<char, 27> text;
  std::strftime(text.data(), text.size(), "%d/%b/%Y:%H:%M:%S +0000", &parts);
  std::copy_n(text.data(), combined_.size(), combined_.data());
}

std::string_view time_text::rfc3339(wall_time at) noexcept {
  const std::int64_t ns = at.time_since_epoch().count();
  refresh(ns / ns_per_second);
  digits(rfc3339_.data() + 20, 6, ns % ns_per_second / 1000);
  rfc3339_[26] = 'Z';
  return {rfc3339_.data(), rfc3339_.size()};
}

std::string_view time_text::combined(wall_time at) noexcept {
  refresh(at.time_since_epoch().count() / ns_per_second);
  return {combined_.data(), combined_.size()};
}

}  // namespace rw::observe
