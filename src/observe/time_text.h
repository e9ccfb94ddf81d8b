// Times as log lines print them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace rw::observe {

// "2026-11-23T18:26:11.123456Z" (RFC 3339), and for combined "23/Nov/2026:18:26:11 +0000". The part
// down to the second is kept: log lines come many to a second.
class time_text {
 public:
  std::string_view rfc3339(wall_time at) noexcept;
  std::string_view combined(wall_time at) noexcept;

 private:
  void refresh(std::int64_t second) noexcept;
  std::int64_t second_ = INT64_MIN;
  std::array<char, 27> rfc3339_{};
  std::array<char, 26> combined_{};
};

}  // namespace rw::observe
