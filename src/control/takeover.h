// The side of the gate that comes after another one: it has that one's listening sockets, and its
// word that everything else is left too. Until yours() both serve, and the earlier one can go on.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "control/handover.h"
#include "control/service_manager.h"
#include "net/inherited_sockets.h"

namespace rw::control {

// Of the thread that starts the gate. Everything here blocks, for some seconds at most; a gate that
// goes away without yours() has left the earlier one as it was.
class takeover {
 public:
  // Asks the gate at the admin socket `path`. Nothing: `why` says why not, a line.
  static std::optional<takeover> begin(const std::string& path, std::string& why);
  takeover(takeover&& other) noexcept;
  takeover& operator=(takeover&& other) = delete;
  ~takeover();

  const handover& given() const noexcept { return given_; }
  // Descriptors of one kind; the caller owns them.
  net::inherited_sockets take(handed_descriptor::kind what);
  service_manager manager() const { return service_manager::at(given_.manager, given_.watchdog); }

  // This gate has all that it needs. The earlier one ends its audit log, when that is at
  // `audit_path` (a path, or empty), writes down bans and stops answering at the admin socket and
  // address. The file of that socket stays where it is `admin_socket`. False: it has gone, or has
  // changed its mind.
  bool ready(const std::string& audit_path, const std::string& admin_socket);
  // This gate accepts. True: the earlier one does not any more, has told the service manager, and
  // ends.
  bool serving();
  // The connection: after serving(), lines of the audit log, until its end. The caller owns it.
  int take_connection() noexcept { return std::exchange(connection_, -1); }

 private:
  takeover(int connection, handover given) : connection_(connection), given_(std::move(given)) {}
  bool say(const std::string& line, std::string_view expected);

  int connection_;
  handover given_;
};

// A descriptor connected to the admin socket at `path`; -1: `why` has the reason.
int connect_to_gate(const std::string& path, std::string& why);

}  // namespace rw::control
