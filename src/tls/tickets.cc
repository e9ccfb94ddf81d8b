#include "tls/tickets.h"

#include <sodium.h>

#include <cstring>

#include "base/assert.h"
#include "base/random.h"
#include "base/secret.h"

namespace rw::tls {

static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32);
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == ticket_keys::nonce_bytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == ticket_keys::tag_bytes);

namespace {

unsigned char* raw(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

const unsigned char* read_only(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

ticket_keys::ticket_keys(mono_time now) : since_(now) {
  // Both slots hold random keys from the start: a name nobody ever gave out matches nothing.
  for (const slot where : {current, previous}) {
    key fresh;
    random_bytes(fresh.name);
    random_bytes(fresh.bytes);
    publish(where, fresh);
    wipe(&fresh, sizeof fresh);
  }
}

ticket_keys::~ticket_keys() {
  static_assert(sizeof(words_) == 2 * sizeof(key));
  wipe(words_.data(), sizeof words_);
}

void ticket_keys::publish(slot where, const key& what) noexcept {
  std::array<std::uint64_t, words_per_key> copy;
  static_assert(sizeof copy == sizeof what);
  std::memcpy(copy.data(), &what, sizeof what);
  for (std::size_t i = 0; i < words_per_key; ++i) {
    // Release: whoever reads this word also sees the odd sequence number stored before it.
    words_[where * words_per_key + i].store(copy[i], std::memory_order_release);
  }
  wipe(copy.data(), sizeof copy);
}

ticket_keys::key ticket_keys::load(slot where) const noexcept {
  std::array<std::uint64_t, words_per_key> copy;
  for (;;) {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < words_per_key; ++i) {
      copy[i] = words_[where * words_per_key + i].load(std::memory_order_acquire);
    }
    if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) break;
  }
  key out;
  std::memcpy(&out, copy.data(), sizeof out);
  wipe(copy.data(), sizeof copy);
  return out;
}

bool ticket_keys::rotate(mono_time now) {
  const std::lock_guard lock(rotating_);
  const auto age = now - since_;
  if (age < ticket_key_lifetime) return false;
  since_ = now;
  // After a long pause (a suspended machine) the current key is too old to open with as well.
  key old = load(current);
  key fresh;
  random_bytes(fresh.name);
  random_bytes(fresh.bytes);
  if (age >= 2 * ticket_key_lifetime) {
    random_bytes(old.name);
    random_bytes(old.bytes);
  }
  sequence_.fetch_add(1, std::memory_order_relaxed);
  publish(previous, old);
  publish(current, fresh);
  sequence_.fetch_add(1, std::memory_order_release);
  wipe(&old, sizeof old);
  wipe(&fresh, sizeof fresh);
  return true;
}

ticket_keys::sealing ticket_keys::seal(std::span<std::byte> ticket,
                                       std::span<const std::byte> binding) const noexcept {
  sealing by;
  key with = load(current);
  by.name = with.name;
  random_bytes(by.nonce);
  const int done = crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
      raw(ticket), raw(by.tag), nullptr, raw(ticket), ticket.size(), read_only(binding),
      binding.size(), nullptr, read_only(by.nonce), read_only(with.bytes));
  RW_ASSERT(done == 0);
  wipe(&with, sizeof with);
  return by;
}

ticket_keys::opened ticket_keys::open(const sealing& by, std::span<std::byte> ticket,
                                      std::span<const std::byte> binding) const noexcept {
  for (const slot where : {current, previous}) {
    key with = load(where);
    const bool ours = with.name == by.name;  // names are public: the ticket shows its own
    const bool genuine = ours && crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
                                     raw(ticket), nullptr, raw(ticket), ticket.size(),
                                     read_only(by.tag), read_only(binding), binding.size(),
                                     read_only(by.nonce), read_only(with.bytes)) == 0;
    wipe(&with, sizeof with);
    if (!ours) continue;
    if (!genuine) return opened::no;
    return where == current ? opened::yes : opened::with_previous_key;
  }
  return opened::no;
}

}  // namespace rw::tls
