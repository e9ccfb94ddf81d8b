#include "observe/audit_fold.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace rw::observe {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// How much of an address tells clients apart.
std::size_t prefix_bytes(const refusal& one) noexcept {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), one.ip.begin()) ? 16 : 8;
}

}  // namespace

bool audit_fold::same_client(const refusal& a, const refusal& b) noexcept {
  const std::size_t bytes = prefix_bytes(a);
  return a.is_unix == b.is_unix && bytes == prefix_bytes(b) &&
         std::memcmp(a.ip.data(), b.ip.data(), bytes) == 0;
}

// Keyed, so that nobody can choose whom to share a set with.
std::uint64_t audit_fold::hash(const void* bytes, std::size_t size,
                               std::uint64_t seed) const noexcept {
  static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));
  std::array<std::uint64_t, 2> key = {secret_, seed};
  static_assert(crypto_shorthash_KEYBYTES == sizeof key);
  std::uint64_t out = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&out), static_cast<const unsigned char*>(bytes),
                   size, reinterpret_cast<const unsigned char*>(key.data()));
  return out;
}

std::uint64_t audit_fold::tag_of(const refusal& one) const noexcept {
  std::uint64_t tag = hash(one.ip.data(), prefix_bytes(one), 1 + (one.is_unix ? 1 : 0));
  tag = hash(one.reason, std::strlen(one.reason), tag + static_cast<std::uint64_t>(one.what));
  tag = hash(one.route.data(), one.route.size(), tag);
  tag = hash(one.identity.data(), one.identity.size(), tag);
  return tag == 0 ? 1 : tag;
}

// By the client alone: no client gets more than one set.
audit_fold::entry* audit_fold::set_of(const refusal& client) noexcept {
  const std::uint64_t at = hash(client.ip.data(), prefix_bytes(client), 0);
  return entries_->data() + at % (entries_max / entries_per_client) * entries_per_client;
}

void audit_fold::next_window(entry& one, mono_time now) noexcept {
  one.count = 0;
  one.window_began = now;
  if (!std::exchange(one.seen, false)) {
    one.tag = 0;
    --used_;
  }
}

bool audit_fold::add(const refusal& one, mono_time now, wall_time at) {
  if (!entries_) entries_ = std::make_unique<std::array<entry, entries_max>>();
  const std::uint64_t tag = tag_of(one);
  entry* const set = set_of(one);
  entry* free = nullptr;
  entry* found = nullptr;
  for (std::size_t i = 0; i < entries_per_client && found == nullptr; ++i) {
    if (set[i].tag == tag) found = &set[i];
    if (set[i].tag == 0) free = &set[i];
  }
  if (found == nullptr && free != nullptr) {
    ++used_;
    found = free;
    found->of = one;
    found->route.assign(one.route);
    found->identity.assign(one.identity);
    found->of.route = found->route;
    found->of.identity = found->identity;
    found->tag = tag;
    found->single = found->count = 0;
    found->window_began = now;
  }
  if (found == nullptr) {
    found = &others_;
    if (others_.count == 0) others_.window_began = now;
  } else {
    found->seen = true;
    if (found->single < single_records) {
      ++found->single;
      return false;
    }
  }
  if (found->count++ == 0) found->since = at;
  return true;
}

}  // namespace rw::observe
