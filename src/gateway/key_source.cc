#include "gateway/key_source.h"

namespace rw::gateway {

key_source::advice key_source::ask(mono_time now, io::loop* control, io::ring& own) {
  if (!fetching_.load(std::memory_order_acquire)) {
    const nanoseconds since = now.time_since_epoch();
    if (since.count() < askable_ns_.load(std::memory_order_relaxed) || control == nullptr) {
      return ask_again();
    }
    if (!fetching_.exchange(true, std::memory_order_acq_rel)) {
      control->post(own, new keys_wanted(shared_from_this()));
    }
  }
  if (waiting_.fetch_add(1, std::memory_order_relaxed) < waiting_max) return advice::wait;
  leave();
  return advice::try_later;
}

key_source::advice key_source::ask_again() const noexcept {
  const bool open =
      fetching_.load(std::memory_order_acquire) || failing_.load(std::memory_order_relaxed);
  return open ? advice::try_later : advice::refuse;
}

void key_source::settle(mono_time askable, bool failing) noexcept {
  failing_.store(failing, std::memory_order_relaxed);
  askable_ns_.store(nanoseconds(askable.time_since_epoch()).count(), std::memory_order_relaxed);
  fetching_.store(false, std::memory_order_release);
}

bool is_same_source(const known_keys& known, const config::jwt_issuer& now) {
  const config::remote_keys& from = now.jwks_remote;
  return known.name == now.name && known.issuer == now.issuer && known.from.url == from.url &&
         known.from.discover == from.discover && known.from.pin == from.pin;
}

}  // namespace rw::gateway
