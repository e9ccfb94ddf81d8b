// The keys that session tickets are sealed with (RFC 5077, RFC 8446 4.6.1): one set per process,
// shared by all workers, so that a client resumes whichever worker it meets.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "base/clock.h"

namespace rw::tls {

// How long a key seals; it opens for as long again. A ticket thus lives for at least this long.
inline constexpr std::chrono::hours ticket_key_lifetime{12};

// seal() and open() from any thread, without a lock; they see either the keys before a rotation or
// those after it. The object must outlive every server_context made with it (they share it).
//
// XChaCha20-Poly1305: its 192-bit nonces may be drawn at random however many tickets a key seals,
// where AES-GCM's 96 bits would bound them. The binding is authenticated and not sent.
class ticket_keys {
 public:
  static constexpr std::size_t name_bytes = 16;
  static constexpr std::size_t nonce_bytes = 24;
  static constexpr std::size_t tag_bytes = 16;

  // The first key is drawn at once; `now` starts its 12 hours.
  explicit ticket_keys(mono_time now);
  ~ticket_keys();
  ticket_keys(const ticket_keys&) = delete;
  ticket_keys& operator=(const ticket_keys&) = delete;

  // To be called now and then, by anyone: draws a new key when the current one has served its time,
  // keeps that one for opening, forgets the one before. After more than two lifetimes' silence both
  // old keys are forgotten. True when the keys changed.
  bool rotate(mono_time now);

  struct sealing {
    std::array<std::byte, name_bytes> name;
    std::array<std::byte, nonce_bytes> nonce;
    std::array<std::byte, tag_bytes> tag;
  };

  // Encrypts `ticket` in place. `binding` is what the ticket may be used for.
  sealing seal(std::span<std::byte> ticket, std::span<const std::byte> binding) const noexcept;

  enum class opened : std::uint8_t { no, yes, with_previous_key };

  // Decrypts `ticket` in place. `no`, with the bytes worthless, when no key of ours has that name,
  // the binding is another one, or anything was changed.
  opened open(const sealing& by, std::span<std::byte> ticket,
              std::span<const std::byte> binding) const noexcept;

 private:
  static constexpr std::size_t key_bytes = 32;
  struct key {
    std::array<std::byte, name_bytes> name;
    std::array<std::byte, key_bytes> bytes;
  };
  static constexpr std::size_t words_per_key = (name_bytes + key_bytes) / sizeof(std::uint64_t);
  enum slot : std::size_t { current = 0, previous = 1 };

  void publish(slot where, const key& what) noexcept;
  // Copies the key in `where` out; consistent with itself however often rotate() runs meanwhile.
  key load(slot where) const noexcept;

  // A sequence lock: odd while a rotation is writing. The words are atomics, so that a reader that
  // loses the race reads stale words and tries again, and no byte is ever raced for.
  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, 2 * words_per_key> words_{};
  std::mutex rotating_;
  mono_time since_;
};

}  // namespace rw::tls
