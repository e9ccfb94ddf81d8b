// `ringward status` and `ringward reload`: one line in, text out, over a unix socket.
#pragma once

#include "control/admin_answer.h"
#include "control/small_server.h"

namespace rw::control {

class process;
struct asked_request;
struct reload_outcome;

// The protocol: the client sends one command and a line feed; the answer is "ok" or "failed" on a
// line of its own, then text for people, then the end of the stream. After "json" and a tab before
// the command that text is one JSON value. Only root and the service's
// own user and group may connect: the socket is 0660.
class admin_socket final : public small_server {
 public:
  static constexpr unsigned connections_max = 16;
  static constexpr std::size_t command_bytes_max = 16U << 10U;  // `explain` has a token

  admin_socket(process& of, io::loop& on, net::listening_sockets socket);

 private:
  io::task<> serve(net::stream& client) override;
  admin_answer decide(std::string_view command, const std::string& asker, bool wants_json);
  admin_answer explain(asked_request& asked);
  static admin_answer answer_of(const reload_outcome& done);
  process& process_;
};

inline constexpr const char* default_socket = "/run/ringward/admin.sock";

// Which gate is asked, and how it is to answer.
struct gate_at {
  std::string socket = default_socket;
  bool json = false;
};

// Asks the gate at `path` and waits for its answer: true when that is "ok". `text`: the rest of it,
// or why there is none. Blocks.
bool ask(const std::string& path, std::string_view command, std::string& text);

// Asks that gate, and prints what it answers: JSON to standard output, else what went wrong to
// standard error. Blocks. The exit status of the command that asks: 0 when the answer was "ok".
int tell(const gate_at& gate, std::string_view command);

}  // namespace rw::control
