// The writer thread: takes log lines from all workers and puts them on disk. A disk that is slow,
// full or hangs stops nobody but this thread: the queues fill, and lines are dropped and counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "control/log_target.h"
#include "observe/log_queue.h"

namespace rw::control {

class writer {
 public:
  // How long the end waits while no byte gets out, before it leaves the thread to its write.
  static constexpr std::chrono::seconds patience{2};

  // `path`: "-" for stdout, "syslog", "journal", else a file, appended to and made with mode 0640.
  // The queues must outlive the writer. Errors: the errno of open; a daemon that is not there is
  // none, it is looked for until it is.
  static result<std::unique_ptr<writer>> start(const std::string& path,
                                               std::vector<observe::log_queue*> from);
  static result<std::unique_ptr<writer>> start(log_target to,
                                               std::vector<observe::log_queue*> from);
  // The queues of workers that were started after it: a gate that cannot write starts none.
  void take(std::vector<observe::log_queue*> from);
  // Writes what is in the queues, then ends. After it nothing touches the queues.
  ~writer();
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  // Any thread: opens the path anew, for a file that was rotated away. Where that fails the old
  // file goes on being written to, and failing() says why until a later attempt succeeds; there are
  // five a second. A file that was removed is opened anew without being asked.
  void reopen() noexcept;
  // Lines lost: to queues that were full, and what could not be written before the end.
  std::uint64_t dropped() const noexcept;
  // The errno of the last open or write, 0 when it succeeded. What a failed write was to write is
  // kept, and tried again.
  int failing() const noexcept;

 private:
  struct state;  // shared with the thread, which may have to be left behind

  explicit writer(std::shared_ptr<state> shared);

  std::shared_ptr<state> shared_;
  std::thread thread_;
};

}  // namespace rw::control
