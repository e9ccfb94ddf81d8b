// Tokens that have been verified, so that the next request with the same one costs a comparison.
// Fixed memory, no allocation after construction. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "auth/claims.h"
#include "auth/reason.h"
#include "base/clock.h"

namespace rw::auth {

struct token_cache_limits {
  std::size_t entries = 4096;     // rounded up to a power of two, 4 at least
  std::size_t bytes = 4U << 20U;  // of tokens and what they say; pages never used stay untouched
};

// A ring of octets that each insertion writes on into, and a four-way table of 64-byte slots that
// point into it. The ring overwrites what is oldest; a slot knows its position ever written, so it
// sees for itself whether its octets are still there. Only verified tokens ever get in: nobody can
// push others out without being somebody.
class token_cache {
 public:
  struct hit {
    std::string_view identity;  // the views live until the next insert()
    std::string_view scopes;
    numeric_date expires;
    std::string_view jti;    // empty: none
    std::string_view kid;    // likewise
    std::string_view bound;  // checked_claims::bound
    std::string_view rate;   // checked_claims::rate
    numeric_date until;      // the token is refused from then on
    reason why;              // none, or insufficient_scope
  };

  explicit token_cache(token_cache_limits limits = {});

  // What was inserted for exactly this token, issuer and generation, if `now` is in its window.
  std::optional<hit> find(std::string_view token, std::uint32_t issuer, std::uint64_t generation,
                          numeric_date now) const noexcept;

  // A token too large for the ring is not kept.
  void insert(std::string_view token, std::uint32_t issuer, std::uint64_t generation,
              const checked_claims& claims, std::string_view kid) noexcept;

 private:
  struct alignas(64) slot {
    std::uint64_t tag = 0;       // hash of the token's end and the issuer
    std::uint64_t position = 0;  // of the record among all octets ever written
    std::uint64_t generation = 0;
    numeric_date valid_from;
    numeric_date valid_until;  // the epoch in an empty slot: never valid
    numeric_date expires;
    std::uint32_t token_bytes = 0;
    std::uint16_t issuer = 0;
    std::uint16_t identity_bytes = 0;
    std::uint16_t scopes_bytes = 0;
    std::uint16_t jti_bytes = 0;
    std::uint16_t kid_bytes = 0;
    std::uint8_t rate_bytes : 7 = 0;
    bool is_bound : 1 = false;
    reason why = reason::none;
  };
  static_assert(sizeof(slot) == 64);
  static constexpr std::size_t ways = 4;

  // Its octets have not been overwritten.
  bool is_whole(const slot& one) const noexcept { return written_ - one.position <= ring_bytes_; }
  const slot* set_of(std::uint64_t tag) const noexcept;

  std::vector<slot> slots_;
  std::size_t ring_bytes_;
  std::unique_ptr<char[]> ring_;
  std::uint64_t written_ = 0;
};

}  // namespace rw::auth
