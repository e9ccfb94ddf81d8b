// What `ringward revoke` has taken away: in force on the workers, and in a file across restarts.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "auth/revocations.h"
#include "base/clock.h"
#include "base/error.h"

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
  // What open() found wrong, with what to do.
  std::string explain(const error& why) const;

  // "revoke\tKIND\tSECONDS\tISSUER\tID" (SECONDS 0: until it is taken back) or
  // "unrevoke\tKIND\tISSUER\tID". What has run out is left out by the way.
  outcome change(std::string_view command, wall_time now);
  // Writes the list down, after change() and after the workers have it. Blocks on the disk.
  outcome keep(outcome changed) const;
  std::string table(wall_time now) const;

  // Null while nothing is revoked.
  const std::shared_ptr<const auth::revocation_list>& list() const noexcept { return list_; }

 private:
  void take(std::vector<auth::revocation> entries);

  std::string path_;
  std::shared_ptr<const auth::revocation_list> list_;
};

}  // namespace rw::control
