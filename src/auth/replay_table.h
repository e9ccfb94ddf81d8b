// Tokens that may be used once, and were: which `jti` of which issuer, until its token has expired.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "auth/claims.h"

namespace rw::auth {

// 16 octets each; pages that were never written cost no memory.
inline constexpr std::size_t replay_places = 262'144;

// Fixed memory, shared by all workers, any thread, no lock: exactly one of those who take the same
// jti gets `first`, whenever and wherever they ask. What is compared is 95 bits of a hash that is
// keyed afresh per table.
class replay_table {
 public:
  enum class outcome : std::uint8_t {
    first,
    again,
    full  // no place among the 64 that its hash leads to is free: it cannot be remembered
  };

  // `places`: rounded down to a multiple of 64, 64 at least.
  explicit replay_table(std::size_t places = replay_places);
  ~replay_table();
  replay_table(const replay_table&) = delete;
  replay_table& operator=(const replay_table&) = delete;

  // `until`: the moment from which the token is refused anyway; its place is free from then on.
  outcome take(std::string_view issuer, std::string_view jti, numeric_date until,
               numeric_date now) noexcept;

 private:
  struct memory;
  std::unique_ptr<memory> memory_;
};

}  // namespace rw::auth
