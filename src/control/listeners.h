// The listening sockets of the configuration: from where they come at start, and who has them when
// the gate ends.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "control/handover.h"
#include "control/service_manager.h"
#include "net/inherited_sockets.h"
#include "net/listening_socket.h"
#include "observe/log.h"

namespace rw::control {

// Of the control thread.
class listeners {
 public:
  // Takes over what the service manager passed where the address is a listener's, and binds the
  // rest. False: one line in `log` has said why.
  bool open(const std::vector<config::listener>& wanted, unsigned workers,
            net::inherited_sockets passed, const net::bind_helper& helper, const observe::log& log);

  // Right before workers accept: all of them have a queue from now on.
  void listen() noexcept;

  // Has the manager keep what a .socket unit does not, for the next process; what it has kept for
  // nothing goes.
  void store(service_manager& manager);
  // Whether somebody listens on with the same sockets when this process has gone.
  bool outlive_us(const service_manager& manager) const noexcept {
    return !of_unit_.empty() || manager.keeps_sockets();
  }
  // Takes them out of the store: nobody is to come after this process.
  void forget(service_manager& manager) const;
  // What a process that takes over gets. Not after close().
  std::vector<handed_descriptor> handed() const;
  // Closes what another process has too.
  void leave();
  // Unless the sockets outlive us nobody can connect any more.
  void close(const service_manager& manager);

  // In the order of the configuration; empty after close().
  const std::vector<net::listening_sockets>& sockets() const noexcept { return sockets_; }

 private:
  struct kept {
    int fd;
    std::string name;  // in the store: "listener.NAME.INDEX"
    bool is_stored;    // by an earlier process already
  };
  void sort_out(net::inherited_sockets passed, const observe::log& log);
  void name_all(const std::string& prefix, const std::vector<net::inherited_socket>& taken,
                const std::vector<int>& fds);

  std::vector<net::listening_sockets> sockets_;
  std::vector<std::size_t> restored_;  // of sockets_, those that come from the store
  std::vector<kept> kept_;
  std::vector<net::inherited_socket> of_unit_;  // of a .socket unit
  std::vector<std::string> obsolete_;           // names in the store
};

}  // namespace rw::control
