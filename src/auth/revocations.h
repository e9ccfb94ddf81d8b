// What is no longer believed although it has not expired: callers by name, tokens by `jti`, keys by
// `kid`. Pure; the files and the commands are the control thread's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace rw::auth {

inline constexpr std::size_t revocations_max = 10'000;
inline constexpr std::size_t revoked_id_bytes_max = 256;
inline constexpr std::size_t revoked_issuer_bytes_max = 512;

enum class revoked_kind : std::uint8_t { identity, jti, kid };

std::string_view name(revoked_kind what) noexcept;
std::optional<revoked_kind> find_revoked_kind(std::string_view name) noexcept;

struct revocation {
  revoked_kind what = revoked_kind::identity;
  std::string id;
  std::string issuer;                // an `iss`, of a jti or a kid; empty: whichever it is
  std::chrono::sys_seconds since{};  // when it was made
  std::chrono::sys_seconds until{};  // the first second it no longer holds in; the epoch: no end

  bool holds(wall_time now) const noexcept {
    return until == std::chrono::sys_seconds{} || now < until;
  }
};

// Why this cannot be revoked, as the rest of a sentence; nothing when it can.
const char* refuse_revocation(const revocation& one) noexcept;

// Immutable once made: every worker has the same one.
class revocation_list {
 public:
  revocation_list() = default;
  // At most revocations_max; of two for the same the later counts.
  explicit revocation_list(std::vector<revocation> entries);

  // A caller of this name, whatever he shows to be it. The clock is the wall's.
  bool has_identity(std::string_view who, wall_time now) const noexcept;
  // A token of `issuer`; `jti` and `kid` may be empty, for one that has none.
  bool has_token(std::string_view issuer, std::string_view jti, std::string_view kid,
                 wall_time now) const noexcept;

  const std::vector<revocation>& entries() const noexcept { return entries_; }
  bool empty() const noexcept { return entries_.empty(); }

 private:
  bool has(revoked_kind what, std::string_view id, std::string_view issuer,
           wall_time now) const noexcept;

  std::vector<revocation> entries_;  // in order of kind, id, issuer
};

// The list as the file of it: a line each, then their number and a BLAKE2b of all before it, so
// that a file that was cut or changed is seen to be.
std::string to_text(const revocation_list& list);
// Errors: fault::invalid, origin::configuration, with what is wrong.
result<revocation_list> parse_revocations(std::string_view text);

}  // namespace rw::auth
