// Where log lines go: a file, standard output, the syslog daemon's socket or the journal's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

#include "observe/time_text.h"

namespace rw::control {

// Of one thread.
class log_target {
 public:
  enum class kind : std::uint8_t {
    stream,   // lines one after the other, whatever else is in the file
    syslog,   // RFC 5424, a datagram for each line
    journal,  // systemd's native protocol, likewise
  };

  // As `log.access.path` has it: "-", "syslog", "journal" or a path.
  static log_target named(const std::string& path);
  // `path`: of the file or the socket.
  log_target(kind what, std::string path);
  ~log_target();
  log_target(log_target&& other) noexcept;
  log_target& operator=(log_target&&) = delete;

  // Opens or connects, anew too; 0, or an errno, and then what was open goes on being used.
  int open() noexcept;
  // As ::write(): how many of these bytes, whole lines, are done with; -1 and errno. Of a stream
  // that may be part of a line. A daemon that has gone is looked for at each call; a line that is
  // too long for a datagram is done with, and lost.
  ssize_t write(std::span<const char> lines);
  // Lines lost so, since it was asked last.
  std::uint64_t take_lost() noexcept;

  // Whether there has to be something to open at the start: a daemon may come later.
  bool must_be_there() const noexcept { return kind_ == kind::stream; }
  int fd() const noexcept { return fd_; }  // to be waited for after EAGAIN

 private:
  ssize_t send(std::span<const char> lines);
  std::string heading();

  kind kind_;
  std::string path_;
  std::string host_;  // of RFC 5424's header
  observe::time_text time_;
  int fd_ = -1;
  std::uint64_t lost_ = 0;
};

}  // namespace rw::control
