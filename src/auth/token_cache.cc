#include "auth/token_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

namespace rw::auth {

namespace {

constexpr std::size_t hashed_bytes = 16;
constexpr std::uint32_t issuer_max = std::numeric_limits<std::uint16_t>::max();

// A token ends in its signature, and no two valid ones are likely to share 96 bits of it. Whoever
// can make them collide holds the issuer's key; a collision costs a slot, nothing else.
std::uint64_t tag_of(std::string_view token, std::uint32_t issuer) noexcept {
  std::uint64_t words[2];
  std::memcpy(words, token.data() + token.size() - hashed_bytes, hashed_bytes);
  using wide = unsigned __int128;
  const wide product = static_cast<wide>(words[0] ^ 0x9e37'79b9'7f4a'7c15U) *
                       (words[1] ^ (0xd1b5'4a32'd192'ed03U + issuer));
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

token_cache::token_cache(token_cache_limits limits)
    : slots_(std::bit_ceil(std::max(limits.entries, ways))),
      ring_bytes_(limits.bytes),
      ring_(std::make_unique_for_overwrite<char[]>(limits.bytes)) {}

const token_cache::slot* token_cache::set_of(std::uint64_t tag) const noexcept {
  return &slots_[(tag % (slots_.size() / ways)) * ways];
}

std::optional<token_cache::hit> token_cache::find(std::string_view token, std::uint32_t issuer,
                                                  std::uint64_t generation,
                                                  numeric_date now) const noexcept {
  if (token.size() < hashed_bytes || issuer > issuer_max) return {};
  const std::uint64_t tag = tag_of(token, issuer);
  const slot* set = set_of(tag);
  for (const slot* one = set; one != set + ways; ++one) {
    if (one->tag != tag || one->generation != generation || one->issuer != issuer ||
        one->token_bytes != token.size() || now < one->valid_from || now >= one->valid_until ||
        !is_whole(*one)) {
      continue;
    }
    const char* record = ring_.get() + one->position % ring_bytes_;
    if (std::memcmp(record, token.data(), token.size()) != 0) continue;
    record += token.size();
    const auto next = [&record](std::size_t size) {
      return std::string_view(std::exchange(record, record + size), size);
    };
    return hit{.identity = next(one->identity_bytes),
               .scopes = next(one->scopes_bytes),
               .expires = one->expires,
               .jti = next(one->jti_bytes),
               .kid = next(one->kid_bytes),
               .bound = next(one->is_bound ? thumbprint_chars : 0),
               .rate = next(one->rate_bytes),
               .until = one->valid_until,
               .why = one->why};
  }
  return {};
}

void token_cache::insert(std::string_view token, std::uint32_t issuer, std::uint64_t generation,
                         const checked_claims& claims, std::string_view kid) noexcept {
  const std::array<std::string_view, 7> parts{token, claims.identity, claims.scopes, claims.jti,
                                              kid,   claims.bound,    claims.rate};
  std::size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  if (token.size() < hashed_bytes || issuer > issuer_max || bytes > ring_bytes_ / 4 ||
      claims.scopes.size() > std::numeric_limits<std::uint16_t>::max()) {
    return;
  }
  // A record lies in one piece: what is left at the end of the ring is skipped if it is too short.
  const std::uint64_t left = ring_bytes_ - written_ % ring_bytes_;
  if (left < bytes) written_ += left;

  const std::uint64_t tag = tag_of(token, issuer);
  slot* set = const_cast<slot*>(set_of(tag));
  slot* victim = set;
  for (slot* one = set; one != set + ways; ++one) {
    const bool same = one->tag == tag && one->issuer == issuer;
    if (same || one->generation != generation || one->token_bytes == 0) {
      victim = one;
      break;
    }
    if (one->position < victim->position) victim = one;
  }
  char* record = ring_.get() + written_ % ring_bytes_;
  for (const std::string_view part : parts) record = std::ranges::copy(part, record).out;
  *victim = {.tag = tag,
             .position = written_,
             .generation = generation,
             .valid_from = claims.valid_from,
             .valid_until = claims.valid_until,
             .expires = claims.expires,
             .token_bytes = static_cast<std::uint32_t>(token.size()),
             .issuer = static_cast<std::uint16_t>(issuer),
             .identity_bytes = static_cast<std::uint16_t>(claims.identity.size()),
             .scopes_bytes = static_cast<std::uint16_t>(claims.scopes.size()),
             .jti_bytes = static_cast<std::uint16_t>(claims.jti.size()),
             .kid_bytes = static_cast<std::uint16_t>(kid.size()),
             .rate_bytes = static_cast<std::uint8_t>(claims.rate.size() & 0x7fU),
             .is_bound = !claims.bound.empty(),
             .why = claims.why};
  written_ += bytes;
}

}  // namespace rw::auth
