// All words that this gateway knows of, its own and others': which of two counts, what Redis has
// yet to be told, and what has been taken back, in a file across restarts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/shared_word.h"

namespace rw::control {

// Of the control thread.
class shared_words {
 public:
  // All bans, all revocations, and what has been taken back of them.
  static constexpr std::size_t most = 65'536 + 10'000 + 16'384;
  // Of memory, the longest revocations aside.
  static constexpr std::size_t bytes_each = 512;
  // Longer than that nobody needs to be told that something was taken back: a gateway that
  // was away for longer may bring it up again.
  static constexpr std::chrono::days remembered{30};

  // `gateway`: the name of this one, which is from whom its words are.
  explicit shared_words(std::string gateway) : gateway_(std::move(gateway)) {}

  // Something was said here, now. `made`: when what it says began, if that was earlier: after a
  // restart. False: a newer word on it is known, and stands; or there is no room.
  bool say(shared_word word, wall_time now);
  bool recall(shared_word word, wall_time made);
  // Something was heard of others. True: it is news.
  bool hear(const shared_word& word);
  const shared_word* find(const std::string& name) const;

  // Another Redis, or one that may have lost some of it: it has yet to be told all that it does not
  // say itself.
  void forget_told();
  void told(const std::string& name, std::uint64_t version);
  bool has_untold() const noexcept { return !untold_.empty(); }
  std::vector<const shared_word*> untold(std::size_t count) const;

  void forget_over(wall_time now);
  void clear() noexcept;
  std::size_t size() const noexcept { return words_.size(); }
  // Grows whenever to_text() becomes another one.
  std::uint64_t lifted_changes() const noexcept { return lifted_changes_; }
  std::uint64_t without_room() const noexcept { return without_room_; }

  // What has been taken back; the rest is in the files of bans and of revocations.
  std::string to_text() const;
  result<> parse(std::string_view text);

 private:
  bool put(shared_word word);

  std::string gateway_;
  std::map<std::string, shared_word> words_;
  std::set<std::string> untold_;
  std::uint64_t lifted_changes_ = 0;
  std::uint64_t without_room_ = 0;
};

}  // namespace rw::control
