// Ports below 1024 for a process that has given up the right to them: a child that still has
// CAP_NET_BIND_SERVICE binds what it is sent, and ends with the other end of its socket.
#pragma once

#include <sys/socket.h>

namespace rw::net {

// The end of the process that asks. Of one thread at a time.
class bind_helper {
 public:
  bind_helper() = default;  // there is none: bind() is bind(2) alone
  // Forks it, with the rights that this process has now, as nobody's child but init's. Before other
  // threads start. Without one, errno says why, and there is none.
  static bind_helper start();
  // What an earlier program of this process has left with leave_to_next(). Removes the variable.
  static bind_helper from_environment();

  bind_helper(bind_helper&& other) noexcept;
  bind_helper& operator=(bind_helper&& other) noexcept;
  ~bind_helper();

  bool there() const noexcept { return socket_ >= 0; }
  // bind(2), and where that is refused (EACCES) of an IP address, the helper's. The errno, or 0.
  // Waits 5 s at most for a helper that does not answer, and does not ask it again.
  int bind(int fd, const sockaddr* where, socklen_t length) const;
  // It has gone when this returns, or 5 s have passed.
  void end() noexcept;
  // For from_environment() of the program that exec(3) puts in the place of this one, or of this
  // one where that fails. There is none here any more.
  void leave_to_next();

 private:
  explicit bind_helper(int socket) : socket_(socket) {}
  int socket_ = -1;
};

}  // namespace rw::net
