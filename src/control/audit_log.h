// The audit log's writer: takes records from all workers and from the control thread, chains them
// and puts them on disk. A thread of its own, so that neither log waits for the other's disk.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "observe/audit_chain.h"
#include "observe/audit_record.h"
#include "observe/log_queue.h"

namespace rw::control {

struct audit_options {
  std::string path;
  std::optional<observe::audit_key> key;  // none: checkpoints are not signed
  std::chrono::nanoseconds keep{0};       // rotated files older than this go; 0: none does
};

class audit_log {
 public:
  // How long the end waits while no byte gets out.
  static constexpr std::chrono::seconds patience{2};
  // What is written is on disk (fdatasync) this much later, at most.
  static constexpr std::chrono::seconds sync_every{1};
  // The journal hears of the newest checkpoint this often, at most, and of the last one.
  static constexpr std::chrono::seconds journal_every{1};

  // Opens or makes the file (mode 0640) and writes the start record, which names the last line that
  // is there, or in the newest rotated file. Errors: the errno of open or of that write.
  static result<std::unique_ptr<audit_log>> start(audit_options options);
  // Writes what is in the queues, a stop record and a last checkpoint. Nothing touches the queues
  // after it.
  ~audit_log();
  audit_log(const audit_log&) = delete;
  audit_log& operator=(const audit_log&) = delete;

  // What else is to be written, from now on; outlives the log. Once.
  void take(const std::vector<observe::log_queue*>& workers);
  // The control thread's own records. False: there was no room, and it is lost and counted.
  bool emit(observe::audit_record what);
  // A record that another process formatted, with its line feed; of the thread of emit(). False:
  // there is no room yet.
  bool take_line(std::string_view line);

  // ---- any thread
  // Opens the path anew, for a file that was rotated away; the chain goes on in it.
  void reopen() noexcept;
  void keep_for(std::chrono::nanoseconds time) noexcept;
  std::uint64_t records() const noexcept;
  // Lost to full queues, or because they could not be written before the end.
  std::uint64_t dropped() const noexcept;
  // The errno of the last open, write or sync, 0 when it succeeded. What could not be written is
  // kept, and tried again.
  int failing() const noexcept;

 private:
  struct state;  // shared with the thread, which may have to be left behind

  explicit audit_log(std::shared_ptr<state> shared);

  std::shared_ptr<state> shared_;
  observe::audit_formatter format_;
  std::string line_;
  std::thread thread_;
};

}  // namespace rw::control
