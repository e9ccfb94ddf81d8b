// The origin behind `ringward demo`: says what it was asked, streams, sends bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/error.h"
#include "net/listening_socket.h"

namespace rw::control {

// GET / (any method, any path not below): the request as JSON. /stream: ten server-sent events,
// half a second apart. /bytes/N: N bytes, up to 1 GiB. /health: "ok".
class demo_origin {
 public:
  // Listens on a free loopback port.
  static result<std::unique_ptr<demo_origin>> open();
  // And serves, on a thread of its own.
  result<> start();
  ~demo_origin();  // stops
  demo_origin(const demo_origin&) = delete;
  demo_origin& operator=(const demo_origin&) = delete;

  const std::string& address() const noexcept { return address_; }

 private:
  class server;
  demo_origin() = default;
  std::string address_;
  std::optional<net::listening_sockets> socket_;  // until start()
  int stop_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace rw::control
