// `ringward status` and `ringward reload`: one line in, text out, over a unix socket.
#pragma once

#include "control/small_server.h"

namespace rw::control {

class process;

// The protocol: the client sends one command and a line feed; the answer is "ok" or "failed" on a
// line of its own, then text for people, then the end of the stream. Only root and the service's
// own user and group may connect: the socket is 0660.
class admin_socket final : public small_server {
 public:
  static constexpr unsigned connections_max = 16;
  static constexpr std::size_t command_bytes_max = 1024;

  admin_socket(process& of, io::loop& on, net::listening_sockets socket);

 private:
  io::task<> serve(net::stream& client) override;
  process& process_;
};

// Asks the gate that listens at `path`, and prints what it answers; blocks. The exit status of the
// command that asks: 0 when that was "ok".
int tell(const std::string& path, std::string_view command);

}  // namespace rw::control
