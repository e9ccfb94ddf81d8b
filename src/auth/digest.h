// SHA-2 by wolfCrypt's assembly.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "auth/algorithm.h"

namespace rw::auth {

inline constexpr std::size_t digest_bytes_max = 64;

struct digest {
  std::array<unsigned char, digest_bytes_max> octets;
  std::size_t size;  // 32, 48 or 64

  std::span<const unsigned char> view() const noexcept { return std::span(octets).first(size); }
};

digest make_digest(digest_kind kind, std::string_view text) noexcept;

}  // namespace rw::auth
