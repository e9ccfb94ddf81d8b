// Sockets that the service manager passed at start: those of a .socket unit, and those that an
// earlier run left in the manager's descriptor store (sd_listen_fds(3)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/address.h"

namespace rw::net {

struct inherited_socket {
  int fd = -1;
  std::string name;  // from LISTEN_FDNAMES; "" where there is none
};

// What LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say to the process `pid`: names by descriptor, the
// first is 3. Empty when the three are for somebody else, or make no sense. A null pointer is a
// variable that is not set.
std::vector<inherited_socket> parse_listen_variables(const char* listen_pid, const char* listen_fds,
                                                     const char* names, int pid);

// Owns them until somebody takes them.
class inherited_sockets {
 public:
  inherited_sockets() = default;
  explicit inherited_sockets(std::vector<inherited_socket> all) : left_(std::move(all)) {}
  // Before other threads start: removes the three variables, so that no child believes them.
  static inherited_sockets from_environment();

  inherited_sockets(inherited_sockets&&) noexcept = default;
  inherited_sockets& operator=(inherited_sockets&& other) noexcept;
  ~inherited_sockets();

  // Those that listen at `where`, by what the kernel says of them; their names may be anything. A
  // port of 0 is any port at that address, and only then the name has to begin with `name`: there
  // is nothing else to tell them by. The caller closes them.
  std::vector<inherited_socket> take(const config::address& where, std::string_view name);
  // What nobody has taken. The caller closes them.
  std::vector<inherited_socket> take_rest();

 private:
  std::vector<inherited_socket> left_;
};

}  // namespace rw::net
