// API keys at rest and their check. Only keyed hashes are held: a copy of this process's memory
// gives no key away.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "config/config.h"

namespace rw::auth {

inline constexpr std::size_t api_key_bytes_max = 1024;
inline constexpr std::size_t key_name_bytes_max = 256;
inline constexpr std::size_t key_salt_bytes = 16;
inline constexpr std::size_t key_hash_bytes = 32;

using key_salt = std::array<unsigned char, key_salt_bytes>;
using key_hash = std::array<unsigned char, key_hash_bytes>;

// Lines with slow hashes. The key itself does not say which one it belongs to, so each is tried.
inline constexpr std::size_t slow_lines_max = 16;

// Identifies a line by what it says: a digest of its name and its hash.
using record_id = std::array<unsigned char, 16>;

// What tokens that are minted for a line know it by (auth/token_id.h).
using line_tag = std::array<unsigned char, 16>;

// A line whose hash is bcrypt's or argon2id's (auth/slow_hash.h).
struct slow_line {
  std::string name;
  std::string hash;
  wall_time expires;
  record_id id;
  line_tag tag{};
};

// Whose key it is. The name lives as long as the store.
struct key_owner {
  std::string_view name;
  wall_time expires;  // wall_time::max(): never
  line_tag tag;
};

// BLAKE2b-256 of the whole key, keyed with the salt: what a `name:rwk1$<salt>$<hash>` line holds.
key_hash hash_key(std::string_view key, const key_salt& salt) noexcept;

// The salt of a key that names nobody (any key not made by `ringward key new`): derived from the
// key itself, so that its line is found without trying every salt in the file. Such a key must have
// 128 bits of its own; a random salt would add nothing but a search.
key_salt derived_salt(std::string_view key) noexcept;

// NAME of `rw_NAME_<43 base62>`; nothing for any other shape.
std::optional<std::string_view> name_in_key(std::string_view key) noexcept;

// 1..256 visible ASCII octets without ':' and '@', not starting with '#'.
bool is_key_name(std::string_view text) noexcept;

// Filled by load_keys() (auth/key_file.h), then immutable: any number of threads may verify.
class key_store {
 public:
  key_store();
  key_store(key_store&&) noexcept = default;
  key_store& operator=(key_store&&) noexcept = default;

  // Who the key belongs to, expired or not; nothing when no rwk1 line has it. One or two BLAKE2b
  // per call whatever the number of keys; comparisons take the same time wherever they differ, and
  // an unknown name costs what a known one does.
  std::optional<key_owner> find(std::string_view key) const noexcept;
  std::optional<std::string_view> verify(std::string_view key) const noexcept {  // find()'s name
    const auto owner = find(key);
    return owner ? std::optional(owner->name) : std::nullopt;
  }

  // Whether the key could be that of a line with a slow hash: no rwk1 line has it, and it is not
  // one of `ringward key new`, which says itself whose it is.
  bool may_be_slow(std::string_view key) const noexcept;
  std::span<const slow_line> slow_lines() const noexcept { return slow_; }
  const record_id& slow_id() const noexcept { return slow_id_; }  // of all of them together
  const slow_line* slow_line_of(const record_id& id) const noexcept;

  // Tags every line there is, once: a digest of its name and its hash under `secret`. So gates that
  // share both know each other's tags, and a tag says nothing of a key, however short that is.
  // Without this call every tag is zeros and no line is found by one.
  void tag_lines(std::string_view secret);
  // Whether the line of this tag is there and in force.
  bool has_line(const line_tag& tag, wall_time now) const noexcept;

  // Of the name, for all of its keys; count 0: none of its own.
  config::rate rate_of(std::string_view name) const noexcept;
  // False when the name has another already.
  bool set_rate(std::string_view name, const config::rate& rate);

  // Every line, in no order to rely on. `kind`: rwk1, which those in the clear have become, bcrypt
  // or argon2id. The views live as long as the store.
  struct listed {
    std::string_view name;
    std::string_view kind;
    wall_time expires;
    config::rate rate;
  };
  std::vector<listed> list() const;
  // Of both kinds.
  std::size_t size() const noexcept { return entries_.size() + slow_.size(); }

  // False, and nothing added, when an entry has this salt already: it is then the same key.
  bool add(std::string_view name, const key_salt& salt, const key_hash& hash,
           wall_time expires = wall_time::max());
  // False when the line is there already.
  bool add_slow(std::string_view name, std::string_view hash, wall_time expires = wall_time::max());

 private:
  struct entry {
    key_salt salt;
    key_hash hash;
    const std::string* name;     // a key of first_of_name_, whose nodes never move
    std::uint32_t next_of_name;  // the entries of one name form a list
    wall_time expires;
    line_tag tag{};
  };
  struct name_hasher {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  // Keyed afresh per store, so that nobody outside can aim at a bucket and learn from the time.
  struct salt_hasher {  // of tags, too, which are as long
    std::array<unsigned char, 16> key;
    std::size_t operator()(const key_salt& salt) const noexcept;
  };
  static constexpr std::uint32_t no_entry = UINT32_MAX;

  const entry* find_by_name(std::string_view name, std::string_view key) const noexcept;
  const entry* find_by_salt(std::string_view key) const noexcept;
  static key_owner owner_of(const entry& one) noexcept { return {*one.name, one.expires, one.tag}; }

  std::vector<entry> entries_;
  std::unordered_map<std::string, std::uint32_t, name_hasher, std::equal_to<>> first_of_name_;
  std::unordered_map<key_salt, std::uint32_t, salt_hasher> by_salt_;
  std::unordered_map<std::string, config::rate, name_hasher, std::equal_to<>> rates_;
  std::vector<slow_line> slow_;
  std::unordered_map<line_tag, wall_time, salt_hasher> tagged_;  // when each expires
  record_id slow_id_{};
  entry dummy_;  // random: what the key of an unknown name is compared with
};

}  // namespace rw::auth
