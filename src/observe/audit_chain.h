// The chain that audit records form: each carries the BLAKE2b of the line before it, and now and
// then a checkpoint signs all that came before. docs/audit.md has the format.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/secret.h"
#include "observe/time_text.h"

namespace rw::observe {

// BLAKE2b-256 of a line without its line feed, in hexadecimal, as `b2sum -l 256` prints it.
using audit_digest = std::array<char, 64>;
audit_digest digest_of(std::string_view line) noexcept;
// Of a chain that follows no other.
inline constexpr audit_digest no_digest = [] {
  audit_digest zeros;
  zeros.fill('0');
  return zeros;
}();

// An Ed25519 key pair (RFC 8032), for checkpoints.
class audit_key {
 public:
  // `seed`: 32 octets, as 64 hexadecimal digits or in base64; nothing when it is neither.
  static std::optional<audit_key> from_seed(std::string_view seed);
  const std::string& public_key() const noexcept { return public_; }  // 64 hexadecimal digits
  // 128 hexadecimal digits.
  std::string sign(std::string_view text) const;

 private:
  audit_key(secret pair, std::string shown) : pair_(std::move(pair)), public_(std::move(shown)) {}
  secret pair_;
  std::string public_;
};

// What a checkpoint's signature is of: the line up to its member "signature", after this.
inline constexpr std::string_view checkpoint_context = "ringward audit checkpoint 1\n";
inline constexpr std::string_view signature_member = R"(,"signature":")";
// Whether `signature` (128 hexadecimal digits) of `text` is by the owner of `public_key` (64).
bool verify_checkpoint(std::string_view text, std::string_view signature,
                       std::string_view public_key);

// Made once per process; of the thread that writes.
class audit_chain {
 public:
  static constexpr std::uint64_t records_per_checkpoint = 1000;
  static constexpr std::chrono::seconds checkpoint_every{10};
  // What append() adds to a body.
  static constexpr std::size_t link_bytes_max = 6 + 20 + 10 + 64 + 2;

  // `earlier`: the digest of the last line before this chain. No key: checkpoints are not signed.
  audit_chain(const audit_digest& earlier, std::optional<audit_key> key);

  // Appends a line to `out`; `body` is all of it but the link, line feed included. Time and event
  // come first in it.
  template <class Text>
  void append(std::string_view body, Text& out) {
    std::array<char, link_bytes_max> link;
    const std::size_t linked = write_link(link);
    const std::size_t at = out.size();
    out.insert(out.end(), link.data(), link.data() + linked);
    out.insert(out.end(), body.begin(), body.end());
    seal({out.data() + at, out.size() - at - 1});
  }

  // The bodies of this chain's own records. `about`: more members, each with a comma before it.
  std::string start_body(wall_time now, std::string_view about);
  std::string stop_body(wall_time now);
  // `dropped`: records lost so far. The line is then last_checkpoint().
  template <class Text>
  void append_checkpoint(wall_time now, std::uint64_t dropped, Text& out) {
    append(checkpoint_body(now, dropped), out);
    last_.assign(out.data() + out.size() - last_bytes_ - 1, last_bytes_);
    since_checkpoint_ = 0;
  }

  std::uint64_t unsigned_records() const noexcept { return since_checkpoint_; }
  std::uint64_t records() const noexcept { return sequence_; }
  const std::string& last_checkpoint() const noexcept { return last_; }

 private:
  std::size_t write_link(std::array<char, link_bytes_max>& out) const noexcept;
  void seal(std::string_view line) noexcept;
  std::string checkpoint_body(wall_time now, std::uint64_t dropped);

  std::uint64_t sequence_ = 0;
  std::uint64_t since_checkpoint_ = 0;
  audit_digest head_;
  std::optional<audit_key> key_;
  std::string id_;  // random: tells this process's chain from others
  std::string last_;
  std::size_t last_bytes_ = 0;  // of the last line
  time_text time_;
};

}  // namespace rw::observe
