// The API keys of one request, and what is remembered of slow hashes between requests. Inside auth/
// only.
#pragma once

#include <string_view>

#include "auth/authenticate.h"
#include "auth/slow_cache.h"

namespace rw::auth {

// One thread, one request at a time.
class presented_keys {
 public:
  void begin(const snapshot& state, wall_time now, mono_time mono_now, const slow_answer* answer);

  // Both headers may hold a key; then it must be one caller's. reason::unverified: slow_key() has
  // to be held against slow hashes first.
  reason take(std::string_view key);

  bool any() const noexcept { return any_; }
  std::string_view name() const noexcept { return name_; }  // in the snapshot's store
  const line_tag& tag() const noexcept { return tag_; }     // of the first one's line
  std::string_view slow_key() const noexcept { return slow_key_; }
  bool slow_key_known() const noexcept { return slow_key_known_; }

  slow_cache cache;
  digest_secret secret = make_digest_secret();

 private:
  reason take_slow(std::string_view key);
  reason take_owner(const key_owner& owner);

  const key_store* store_ = nullptr;
  wall_time now_;
  mono_time mono_now_;
  const slow_answer* answer_ = nullptr;
  bool any_ = false;
  std::string_view name_;
  line_tag tag_{};
  std::string_view slow_key_;
  bool slow_key_known_ = false;  // it has matched before
};

}  // namespace rw::auth
