// How long an answer may be used (RFC 9111), as a private cache of one reads it.
#pragma once

#include <chrono>
#include <optional>

#include "http/head.h"

namespace rw::http {

// What is left of Cache-Control's max-age after Age: 0 with no-store and no-cache, nothing when the
// answer does not say. s-maxage is for shared caches, Expires for those without a better word: both
// are passed over. Of max-age given twice the least counts; one that is no number counts as 0
// (RFC 9111 4.2.1), and none is more than a year.
std::optional<std::chrono::seconds> freshness(const response_head& head) noexcept;

}  // namespace rw::http
