// What `ringward revoke` has taken away: in force on the workers, and in a file across restarts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/revocations.h"
#include "base/clock.h"
#include "base/error.h"
#include "control/audit_events.h"
#include "control/shared_words.h"
#include "observe/log.h"

namespace rw::control {

// Of the control thread. What is revoked is one immutable list; a change makes another.
class revocation_board {
 public:
  struct outcome {
    bool done = false;
    std::string text;      // for who asked, a line
    bool changed = false;  // list() is another one now
    std::string event;     // what happened, for the log
  };

  // Reads `directory`/revocations; none when there is no such file. Errors: those of the disk, and
  // fault::invalid for a file that is not as it was written.
  result<> open(const std::string& directory);
  // Looks whether the file is another one than when it was last looked at, as open() does, which
  // has to have been: whether list() is. Of a file that cannot be read it stays as it is.
  bool reread();
  // What open() found wrong, with what to do.
  std::string explain(const error& why) const;

  // By `asker`: "revoke\tKIND\tSECONDS\tISSUER\tID" (SECONDS 0: until it is taken back) or
  // "unrevoke\tKIND\tISSUER\tID". What has run out is left out by the way.
  outcome change(std::string_view command, wall_time now, std::string_view asker = {});
  // Writes the list down, after change() and after the workers have it. Blocks on the disk.
  outcome keep(outcome changed) const;
  std::string table(wall_time now) const;
  std::string json(wall_time now) const;  // the same as a JSON object

  // ---- with other gateways
  static constexpr std::string_view word_prefix = "revoke\t";
  // How often the file is written at most for what others say.
  static constexpr std::chrono::seconds keep_every{1};
  // What is revoked, and what is from now on, is said there too. Null: no longer. True: list() is
  // another one, since some of it had been taken back.
  bool share(shared_words* with);
  // News of another gateway; in list() after settle(), which says whether that is another one.
  void hear(const shared_word& word, wall_time now, const observe::log& log, audit_events& audit);
  bool settle();
  // Writes down what has been heard, where there is any. Blocks on the disk.
  void keep_heard(mono_time now, const observe::log& log);

  // Null while nothing is revoked.
  const std::shared_ptr<const auth::revocation_list>& list() const noexcept { return list_; }

 private:
  void take(std::vector<auth::revocation> entries);
  std::vector<auth::revocation> entries() const;
  void say(const auth::revocation& one, bool holds, wall_time now, std::string_view by);

  std::string path_;
  std::pair<std::uint64_t, std::int64_t> looked_at_;  // inode, and when it changed in ns
  std::shared_ptr<const auth::revocation_list> list_;
  shared_words* shared_ = nullptr;
  std::optional<std::vector<auth::revocation>>
      heard_;            // the list to be, between hear() and settle()
  bool unkept_ = false;  // the file lacks what was heard
  bool failing_ = false;
  mono_time kept_;
};

}  // namespace rw::control
