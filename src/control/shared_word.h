// What gateways on one Redis tell each other of bans and revocations: words, and how they are kept
// there. docs/limits.md, Over several gateways.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "limit/shared.h"

namespace rw::control {

// The last that was said of one client or one thing revoked. None of its texts has a line feed.
struct shared_word {
  std::string name;  // what it is of: "ban\t192.0.2.1"
  std::string text;  // what holds; empty: nothing any more
  std::string from;  // the gateway that said it: "edge-1:8443"
  std::string by;    // who told it to: "uid:0"; empty: nobody
  // Of two words on one name the one with the greater version counts. Milliseconds since 1970, or
  // one more than that of the word that was known when it was said.
  std::uint64_t version = 0;
  std::uint64_t end_ms = never_ms;  // since 1970: nobody needs to know from then on
  static constexpr std::uint64_t never_ms = 253'402'300'800'000;  // the year 10000
};

// What words are sealed with in Redis: known to all who know its password, as limit::shared_secret
// is, which it is made from. Whoever sees what is kept there, or can write there, and does not know
// the password, learns nothing and says nothing.
class word_seal {
 public:
  static constexpr std::size_t bytes_max = 4096;  // of a sealed word

  explicit word_seal(const limit::shared_secret& secret);
  // 16 hexadecimal digits: what is said under another password is kept elsewhere.
  const std::string& id() const noexcept { return id_; }
  // 32 hexadecimal digits that stand for the name.
  std::string hide(std::string_view name) const;
  std::string close(const shared_word& word) const;
  // Nothing: not sealed by this, or not a word.
  std::optional<shared_word> open(std::string_view sealed) const;

 private:
  std::array<unsigned char, 32> key_{};
  std::string id_;
};

}  // namespace rw::control
