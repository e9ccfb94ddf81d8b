#include "auth/presented_key.h"

#include "base/text.h"

namespace rw::auth {

void presented_keys::begin(const snapshot& state, wall_time now, mono_time mono_now,
                           const slow_answer* answer) {
  store_ = state.keys.get();
  now_ = now;
  mono_now_ = mono_now;
  answer_ = answer;
  any_ = false;
  name_ = {};
  slow_key_ = {};
}

reason presented_keys::take(std::string_view key) {
  if (const auto owner = store_->find(key)) return take_owner(*owner);
  if (store_->may_be_slow(key)) return take_slow(key);
  const bool could_be = is_visible_ascii(key) && key.size() <= api_key_bytes_max;
  return could_be ? reason::unknown_key : reason::malformed;
}

reason presented_keys::take_owner(const key_owner& owner) {
  if (now_ >= owner.expires) return reason::expired;
  if (any_ && name_ != owner.name) return reason::ambiguous;
  if (!any_) tag_ = owner.tag;
  any_ = true;
  name_ = owner.name;
  return reason::none;
}

// What was found holds for as long as the line, or the lines, that it was about are in the file.
reason presented_keys::take_slow(std::string_view key) {
  const key_digest digest = digest_of(key, secret);
  const auto known = cache.find(digest, mono_now_);
  const slow_answer* said = known && known->fresh ? &known->what : nullptr;
  if (answer_ != nullptr) {
    // One hash for each request: a second key is not this one's.
    if (answer_->key != digest && said == nullptr) return reason::ambiguous;
    if (answer_->key == digest) said = answer_;
  }
  if (said != nullptr && said->matched) {
    const slow_line* line = store_->slow_line_of(said->about);
    if (line != nullptr) return take_owner({line->name, line->expires, line->tag});
  }
  if (said != nullptr && said->about == store_->slow_id()) return reason::unknown_key;
  slow_key_ = key;
  slow_key_known_ = known && known->what.matched;
  return reason::unverified;
}

}  // namespace rw::auth
