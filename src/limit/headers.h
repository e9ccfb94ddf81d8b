// The fields that tell a client its limits: draft-ietf-httpapi-ratelimit-headers-10 (Structured
// Fields, RFC 9651) and Retry-After (RFC 9110 10.2.3). Values only, into the caller's memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "limit/limiter.h"

namespace rw::limit {

// A name longer than this is cut in the fields.
inline constexpr std::size_t field_name_bytes_max = 64;
// What one limit may need in either field, its separator included.
inline constexpr std::size_t field_item_bytes_max = 2 * field_name_bytes_max + 96;
inline constexpr std::size_t retry_after_bytes_max = 20;

// A limit as the fields show it. Views live as long as the call.
struct field_item {
  std::string_view name;
  bool in_bytes = false;  // its quota unit is "content-bytes"
  limit::pace pace;
  limit::decision decision;
};

// `"per-ip";q=20;w=2, "per-key";q=100;w=60`: the burst, and the seconds to it from nothing, rounded
// up; `;qu="content-bytes"` where it is not requests that count. The octets written; `out` must
// have field_item_bytes_max for each item.
std::size_t write_policy(std::span<const field_item> items, std::span<char> out) noexcept;

// `"per-ip";r=5;t=1`: what is left, and the seconds until it grows, rounded up. Likewise.
std::size_t write_state(std::span<const field_item> items, std::span<char> out) noexcept;

// Whole seconds, rounded up, at least 1: never earlier than the `t` of the same answer.
std::size_t write_retry_after(nanoseconds wait, std::span<char> out) noexcept;

}  // namespace rw::limit
