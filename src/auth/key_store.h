// API keys at rest and their check. Only keyed hashes are held: a copy of this process's memory
// gives no key away.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rw::auth {

inline constexpr std::size_t api_key_bytes_max = 1024;
inline constexpr std::size_t key_name_bytes_max = 256;
inline constexpr std::size_t key_salt_bytes = 16;
inline constexpr std::size_t key_hash_bytes = 32;

using key_salt = std::array<unsigned char, key_salt_bytes>;
using key_hash = std::array<unsigned char, key_hash_bytes>;

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

  // The name the key belongs to; nothing when there is no such key. The view lives as long as the
  // store. One or two BLAKE2b per call whatever the number of keys; comparisons take the same time
  // wherever they differ, and an unknown name costs what a known one does.
  std::optional<std::string_view> verify(std::string_view key) const noexcept;

  std::size_t size() const noexcept { return entries_.size(); }

  // False, and nothing added, when an entry has this salt already: it is then the same key.
  bool add(std::string_view name, const key_salt& salt, const key_hash& hash);

 private:
  struct entry {
    key_salt salt;
    key_hash hash;
    const std::string* name;     // a key of first_of_name_, whose nodes never move
    std::uint32_t next_of_name;  // the entries of one name form a list
  };
  struct name_hasher {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  // Keyed afresh per store, so that nobody outside can aim at a bucket and learn from the time.
  struct salt_hasher {
    std::array<unsigned char, 16> key;
    std::size_t operator()(const key_salt& salt) const noexcept;
  };
  static constexpr std::uint32_t no_entry = UINT32_MAX;

  const entry* find_by_name(std::string_view name, std::string_view key) const noexcept;
  const entry* find_by_salt(std::string_view key) const noexcept;

  std::vector<entry> entries_;
  std::unordered_map<std::string, std::uint32_t, name_hasher, std::equal_to<>> first_of_name_;
  std::unordered_map<key_salt, std::uint32_t, salt_hasher> by_salt_;
  entry dummy_;  // random: what the key of an unknown name is compared with
};

}  // namespace rw::auth
