#include "limit/key.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace rw::limit {

namespace {

using address = std::array<std::uint8_t, 16>;

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_ipv4_mapped(const address& a) noexcept {
  return std::memcmp(a.data(), mapped_prefix.data(), mapped_prefix.size()) == 0;
}

std::uint64_t sip_hash(const void* data, std::size_t size, const hash_key& secret) noexcept {
  std::array<unsigned char, crypto_shorthash_BYTES> out;
  crypto_shorthash(out.data(), static_cast<const unsigned char*>(data), size, secret.data());
  std::uint64_t hash = 0;
  std::memcpy(&hash, out.data(), sizeof hash);
  return hash;
}

static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<hash_key>);

}  // namespace

std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> a, unsigned prefix) noexcept {
  if (is_ipv4_mapped(a)) return a;
  for (unsigned i = 0; i < a.size(); ++i) {
    const unsigned kept = std::clamp<unsigned>(prefix, 8 * i, 8 * i + 8) - 8 * i;
    a[i] = static_cast<std::uint8_t>(a[i] & (0xff00U >> kept));
  }
  return a;
}

key_recipe make_recipe(const config::limit& limit) noexcept {
  key_recipe recipe{.ipv6_prefix = std::min(limit.ipv6_prefix, 128U)};
  for (const config::limit_key part : limit.by) {
    if (part == config::limit_key::client_ip) recipe.client = true;
    if (part == config::limit_key::identity) recipe.identity = true;
    if (part == config::limit_key::route) recipe.route = true;
    if (part == config::limit_key::country) recipe.country = true;
  }
  recipe.headers = !limit.by_headers.empty();
  return recipe;
}

// Texts may be long, so each is hashed where it lies, and its hash is what gets joined: all
// joined parts have a fixed place, so that no two callers write the same octets.
key make_key(const key_recipe& recipe, const caller& who, const hash_key& secret) noexcept {
  struct {
    address client{};
    std::uint64_t identity = 0;
    std::uint32_t route = 0;
    std::uint32_t country = 0;
    std::uint64_t headers = 0;
  } parts;
  static_assert(sizeof parts == 40, "no padding: every octet is hashed");
  for (const std::string_view value : who.headers) {
    const std::array<std::uint64_t, 2> both = {parts.headers,
                                               sip_hash(value.data(), value.size(), secret)};
    parts.headers = sip_hash(both.data(), sizeof both, secret);
  }
  if (recipe.identity) {
    parts.identity = sip_hash(who.identity.data(), who.identity.size(), secret);
    if (!who.realm.empty()) {
      const std::array<std::uint64_t, 2> both = {
          sip_hash(who.realm.data(), who.realm.size(), secret), parts.identity};
      parts.identity = sip_hash(both.data(), sizeof both, secret);
    }
  }
  if (recipe.client) parts.client = masked(who.client, recipe.ipv6_prefix);
  if (recipe.route) parts.route = who.route + 1;
  if (recipe.country) parts.country = static_cast<std::uint32_t>(who.country.index()) + 1;
  const bool alone =
      recipe.identity && !recipe.client && !recipe.route && !recipe.country && !recipe.headers;
  const std::uint64_t hash = alone ? parts.identity : sip_hash(&parts, sizeof parts, secret);
  return {hash == 0 ? 1 : hash};
}

}  // namespace rw::limit
