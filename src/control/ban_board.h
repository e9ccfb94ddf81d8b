// Who is banned, as operators see it: listed, changed by hand, written down when it begins and when
// it ends, and in a file across restarts. The bans themselves are in limit::ban_table, which
// workers change too.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/audit_events.h"
#include "control/ban_text.h"
#include "control/shared_words.h"
#include "gateway/snapshot.h"
#include "limit/ban_table.h"
#include "observe/log.h"

namespace rw::control {

// Of the control thread.
class ban_board {
 public:
  struct outcome {
    bool done = false;
    std::string text;  // for who asked, a line
  };

  // How often the file is written at most, when bans come and go.
  static constexpr std::chrono::seconds keep_every{1};
  // Lines in the program's log at each look(); the rest is a number.
  static constexpr std::size_t lines_max = 10;

  const std::shared_ptr<limit::ban_table>& table() const noexcept { return table_; }

  // Reads `directory`/bans; none when there is no such file. Errors: those of the disk, and
  // fault::invalid for a file that is not as it was written. Nobody is banned then; the file is
  // put by as bans.broken.
  result<> open(const std::string& directory, two_clocks now);
  // What open() found wrong.
  std::string explain(const error& why) const;

  // "ban\tSECONDS\tADDRESS" (SECONDS 0: as the configuration says) or "unban\tADDRESS", by `asker`.
  outcome change(std::string_view command, const gateway::snapshot& state, two_clocks now,
                 audit_events& audit, std::string_view asker);
  std::string text(const gateway::snapshot& state, two_clocks now) const;
  // The same as a JSON object; "act" is whether there is a [ban] table.
  std::string json(const gateway::snapshot& state, two_clocks now) const;

  // ---- with other gateways
  static constexpr std::string_view word_prefix = "ban\t";
  // What is in force, and what begins and ends from now on, is said there too. Null: no longer.
  void share(shared_words* with, two_clocks now);
  // News of another gateway: in force at once.
  void hear(const shared_word& word, two_clocks now, const observe::log& log, audit_events& audit);

  // Notices what has begun and ended since it was last called. Cheap when nothing has.
  void look(two_clocks now, const observe::log& log, audit_events& audit);
  // Writes the file, where something has changed. Blocks on the disk.
  void keep(two_clocks now, const observe::log& log);
  // For the last time: the file is another process's from now on.
  void keep_no_more(two_clocks now, const observe::log& log);

  std::size_t in_force() const noexcept { return in_force_.size(); }
  void expose(std::string& out) const;  // for /metrics

 private:
  struct entry {
    limit::ban what;
    wall_time since;
  };

  void notice(const std::vector<limit::ban>& all, two_clocks now, const observe::log& log,
              audit_events& audit);
  bool parse(std::string_view text, two_clocks now);
  void say(const limit::ban& one, two_clocks now, std::string_view by);
  void say_lifted(const limit::ban& one, two_clocks now, std::string_view by);
  void hear_lifted(const shared_word& word, const config::ip16& client, two_clocks now,
                   const observe::log& log, audit_events& audit);

  std::shared_ptr<limit::ban_table> table_ = std::make_shared<limit::ban_table>();
  std::string path_;
  std::map<config::ip16, entry> in_force_;
  mono_time next_end_ = mono_time::max();  // of those
  std::uint64_t changes_seen_ = 0;
  bool changed_ = false;  // the file is not what it should be
  bool failing_ = false;  // it could not be written
  mono_time kept_;
  shared_words* shared_ = nullptr;
  std::size_t heard_lines_ = 0;  // since look()
};

}  // namespace rw::control
