// A JWK set (RFC 7517 5): the public keys of one issuer.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/jwk.h"
#include "auth/reason.h"
#include "config/diagnostic.h"

namespace rw::auth {

inline constexpr std::size_t key_set_bytes_max = 1U << 20U;
inline constexpr std::size_t key_set_keys_max = 256;

// Immutable once loaded: any number of threads may read it.
class key_set {
 public:
  // 1..key_set_keys_max keys, no two of which share a kid.
  explicit key_set(std::vector<public_key> keys) : keys_(std::move(keys)) {}

  // The one key for a token that says `alg` and, if it has one, `kid`: by kid when there is one,
  // otherwise the only key that fits `alg`. reason::unknown_kid, or reason::algorithm when the key
  // of that kid is for another one. The pointer lives as long as the set.
  std::expected<const public_key*, reason> find(std::optional<std::string_view> kid,
                                                algorithm alg) const noexcept;

  bool operator==(const key_set&) const = default;

  const std::vector<public_key>& keys() const noexcept { return keys_; }

 private:
  std::vector<public_key> keys_;
};

// Reads `{"keys":[...]}`. A key that cannot be used is left out with a warning that names its kid
// and why; one that is not meant for signatures, silently. Nothing, and an error, when the text is
// no JWK set, is too big, holds private members anywhere, or leaves no key to verify with. Never
// quotes the text. `file` is only for the diagnostics.
std::optional<key_set> load_key_set(std::string_view json, std::string_view file,
                                    config::diagnostics& out);

}  // namespace rw::auth
