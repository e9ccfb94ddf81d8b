#include "auth/key_store.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace rw::auth {

namespace {

// Part of the file format: every derived salt ever written depends on it.
constexpr std::string_view derivation_label = "ringward rwk1 derived salt";

constexpr std::size_t secret_chars = 43;  // 62^43 > 2^256
constexpr std::string_view key_prefix = "rw_";

const unsigned char* octets(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// 1 for every octet outside 0-9A-Za-z, so that a whole secret is checked by ORing.
constexpr auto not_base62 = [] {
  std::array<unsigned char, 256> out;
  out.fill(1);
  for (char c = '0'; c <= '9'; ++c) out[static_cast<unsigned char>(c)] = 0;
  for (char c = 'A'; c <= 'Z'; ++c) out[static_cast<unsigned char>(c)] = 0;
  for (char c = 'a'; c <= 'z'; ++c) out[static_cast<unsigned char>(c)] = 0;
  return out;
}();

}  // namespace

key_hash hash_key(std::string_view key, const key_salt& salt) noexcept {
  static_assert(key_hash_bytes == crypto_verify_32_BYTES);
  key_hash hash;
  crypto_generichash(hash.data(), hash.size(), octets(key), key.size(), salt.data(), salt.size());
  return hash;
}

key_salt derived_salt(std::string_view key) noexcept {
  key_salt salt;
  crypto_generichash(salt.data(), salt.size(), octets(key), key.size(), octets(derivation_label),
                     derivation_label.size());
  return salt;
}

std::optional<std::string_view> name_in_key(std::string_view key) noexcept {
  if (!key.starts_with(key_prefix)) return {};
  key.remove_prefix(key_prefix.size());
  if (key.size() < secret_chars + 2) return {};
  unsigned char wrong = 0;
  for (char c : key.substr(key.size() - secret_chars)) {
    wrong |= not_base62[static_cast<unsigned char>(c)];
  }
  key.remove_suffix(secret_chars);
  if (wrong != 0 || key.back() != '_') return {};
  key.remove_suffix(1);
  if (!is_key_name(key)) return {};
  return key;
}

bool is_key_name(std::string_view text) noexcept {
  return text.size() <= key_name_bytes_max && is_visible_ascii(text) && text.front() != '#' &&
         text.find_first_of(":@") == std::string_view::npos;
}

std::size_t key_store::salt_hasher::operator()(const key_salt& salt) const noexcept {
  static_assert(sizeof(key) == crypto_shorthash_KEYBYTES);
  std::size_t hash = 0;
  static_assert(sizeof hash == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash), salt.data(), salt.size(), key.data());
  return hash;
}

key_store::key_store()
    : by_salt_(0, salt_hasher{[] {
                 std::array<unsigned char, 16> key;
                 randombytes_buf(key.data(), key.size());
                 return key;
               }()}),
      tagged_(0, by_salt_.hash_function()) {
  randombytes_buf(dummy_.salt.data(), dummy_.salt.size());
  randombytes_buf(dummy_.hash.data(), dummy_.hash.size());
  dummy_.name = nullptr;
  dummy_.next_of_name = no_entry;
}

bool key_store::add(std::string_view name, const key_salt& salt, const key_hash& hash,
                    wall_time expires) {
  const auto index = static_cast<std::uint32_t>(entries_.size());
  if (!by_salt_.emplace(salt, index).second) return false;
  const auto [place, fresh] = first_of_name_.emplace(name, index);
  const std::uint32_t next = fresh ? no_entry : std::exchange(place->second, index);
  entries_.push_back({salt, hash, &place->first, next, expires, {}});
  return true;
}

const key_store::entry* key_store::find_by_name(std::string_view name,
                                                std::string_view key) const noexcept {
  const auto place = first_of_name_.find(name);
  const entry* one = place == first_of_name_.end() ? &dummy_ : &entries_[place->second];
  while (true) {
    const key_hash hash = hash_key(key, one->salt);
    if (crypto_verify_32(hash.data(), one->hash.data()) == 0) {
      return one == &dummy_ ? nullptr : one;
    }
    if (one->next_of_name == no_entry) return nullptr;
    one = &entries_[one->next_of_name];
  }
}

const key_store::entry* key_store::find_by_salt(std::string_view key) const noexcept {
  const auto place = by_salt_.find(derived_salt(key));
  const entry* one = place == by_salt_.end() ? &dummy_ : &entries_[place->second];
  const key_hash hash = hash_key(key, one->salt);
  if (crypto_verify_32(hash.data(), one->hash.data()) != 0) return nullptr;
  return one == &dummy_ ? nullptr : one;
}

std::optional<key_owner> key_store::find(std::string_view key) const noexcept {
  if (key.empty() || key.size() > api_key_bytes_max) return {};
  if (const auto name = name_in_key(key)) {
    if (const entry* one = find_by_name(*name, key)) return owner_of(*one);
  }
  if (const entry* one = find_by_salt(key)) return owner_of(*one);
  return {};
}

bool key_store::may_be_slow(std::string_view key) const noexcept {
  return !slow_.empty() && is_visible_ascii(key) && key.size() <= api_key_bytes_max &&
         !name_in_key(key);
}

const slow_line* key_store::slow_line_of(const record_id& id) const noexcept {
  for (const slow_line& one : slow_) {
    if (one.id == id) return &one;
  }
  return nullptr;
}

void key_store::tag_lines(std::string_view secret) {
  const auto tag = [&](std::string_view name, std::string_view hash, wall_time expires) {
    line_tag made;
    crypto_generichash_state state;
    crypto_generichash_init(&state, octets(secret), secret.size(), made.size());
    for (const std::string_view part : {name, std::string_view("\0", 1), hash}) {
      crypto_generichash_update(&state, octets(part), part.size());
    }
    crypto_generichash_final(&state, made.data(), made.size());
    tagged_.emplace(made, expires);
    return made;
  };
  tagged_.reserve(size());
  for (entry& one : entries_) {
    std::array<char, key_salt_bytes + key_hash_bytes> both;
    std::ranges::copy(one.hash, std::ranges::copy(one.salt, both.begin()).out);
    one.tag = tag(*one.name, {both.data(), both.size()}, one.expires);
  }
  for (slow_line& one : slow_) one.tag = tag(one.name, one.hash, one.expires);
}

bool key_store::has_line(const line_tag& tag, wall_time now) const noexcept {
  const auto place = tagged_.find(tag);
  return place != tagged_.end() && now < place->second;
}

config::rate key_store::rate_of(std::string_view name) const noexcept {
  if (rates_.empty()) return {};
  const auto place = rates_.find(name);
  return place == rates_.end() ? config::rate{} : place->second;
}

bool key_store::set_rate(std::string_view name, const config::rate& rate) {
  const config::rate& held = rates_.emplace(name, rate).first->second;
  return held.count == rate.count && held.per == rate.per;
}

std::vector<key_store::listed> key_store::list() const {
  std::vector<listed> all;
  all.reserve(entries_.size() + slow_.size());
  for (const entry& one : entries_) {
    all.push_back({*one.name, "rwk1", one.expires, rate_of(*one.name)});
  }
  for (const slow_line& one : slow_) {
    all.push_back({one.name, one.hash.starts_with("$2") ? "bcrypt" : "argon2id", one.expires,
                   rate_of(one.name)});
  }
  return all;
}

bool key_store::add_slow(std::string_view name, std::string_view hash, wall_time expires) {
  record_id id;
  const std::string text = std::string(name) + ':' + std::string(hash);
  crypto_generichash(id.data(), id.size(), octets(text), text.size(), nullptr, 0);
  if (slow_line_of(id) != nullptr) return false;
  slow_.push_back({std::string(name), std::string(hash), expires, id, {}});
  // Of the one before and this: whatever changes is another set.
  std::array<unsigned char, 2 * sizeof(record_id)> both;
  std::ranges::copy(slow_id_, both.begin());
  std::ranges::copy(id, both.begin() + sizeof(record_id));
  crypto_generichash(slow_id_.data(), slow_id_.size(), both.data(), both.size(), nullptr, 0);
  return true;
}

}  // namespace rw::auth
