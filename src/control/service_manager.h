// What the gate tells the service manager that started it, systemd or one that speaks its protocol
// (sd_notify(3)): that it serves, reloads, stops and is alive; and the sockets that the manager is
// to keep while nobody is there to accept.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "base/clock.h"

namespace rw::control {

// Where NOTIFY_SOCKET's value leads: a path, or "@name" in the abstract namespace. False for
// anything else.
bool parse_notify_socket(std::string_view text, sockaddr_un& out, socklen_t& length);

// How often the manager wants to hear from the process `pid`; 0 when it does not. A null pointer is
// a variable that is not set.
nanoseconds parse_watchdog(const char* watchdog_usec, const char* watchdog_pid, int pid);

// Of the control thread. Without a manager everything here does nothing.
class service_manager {
 public:
  service_manager() = default;
  // Before other threads start: removes the variables it has read, so that no child uses them.
  static service_manager from_environment();
  // The one at `address`, as NOTIFY_SOCKET has it; none for anything else.
  static service_manager at(std::string_view address, nanoseconds watchdog);
  service_manager(service_manager&& other) noexcept;
  service_manager& operator=(service_manager&& other) noexcept;
  ~service_manager();

  bool there() const noexcept { return socket_ >= 0; }
  nanoseconds watchdog() const noexcept { return watchdog_; }
  const std::string& address() const noexcept { return address_; }  // as NOTIFY_SOCKET has it

  // One datagram of "NAME=VALUE" lines. Waits a second at most for a manager that does not read;
  // what it does not take is lost.
  void tell(std::string_view lines) const { send(lines, -1); }
  void ready(std::string_view status) const;
  void reloading(mono_time now) const;  // until ready()
  void stopping(std::string_view status) const;
  // `more`: how long from now the manager is to wait for the next one of these.
  void still_stopping(nanoseconds more, std::string_view status) const;
  void alive() const { tell("WATCHDOG=1"); }

  // The manager keeps a duplicate of the socket until forget(). `name`: 1 to 255 printable
  // characters of ASCII without ':'.
  void store(int fd, std::string_view name) const;
  void forget(std::string_view name) const;
  // After all store(): puts one end of a pipe with them. A manager that does not keep what it is
  // given closes it, and nothing else would tell: there is no answer to a message.
  void store_witness();
  void forget_witness();
  bool keeps_sockets() const noexcept;

  // From now on the manager hears process `pid`, which has the sockets that it keeps, and this
  // process has no manager.
  void hand_to(int pid);

 private:
  void send(std::string_view lines, int fd) const;

  int socket_ = -1;
  std::string address_;
  sockaddr_un to_{};
  socklen_t to_length_ = 0;
  nanoseconds watchdog_{0};
  int witness_ = -1;
};

// The name of the pipe; a manager may hand it to the next process before it has seen it end.
constexpr std::string_view witness_name = "witness";

}  // namespace rw::control
