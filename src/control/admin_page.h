// The admin address: /healthz, /readyz, /metrics, and the page with its events, over plain HTTP.
#pragma once

#include <unordered_map>

#include "config/cidr.h"
#include "control/live_view.h"
#include "control/small_server.h"

namespace rw::control {

class process;

class admin_page final : public small_server {
 public:
  static constexpr unsigned connections_max = 64;
  static constexpr unsigned requests_per_second = 50;  // of one client; then 429
  static constexpr unsigned watchers_max = 16;         // of events, of the connections; then 503

  admin_page(process& of, io::loop& on, net::listening_sockets socket);

 private:
  io::task<> serve(net::stream& client) override;
  bool admit(const config::ip16& client);
  // Sends what live_view has to say until the client leaves.
  io::task<> tell_events(net::stream& client);

  struct budget {
    std::int64_t second = 0;
    unsigned used = 0;
  };
  struct ip_hash {
    std::size_t operator()(const config::ip16& ip) const noexcept;
  };
  process& process_;
  std::unordered_map<config::ip16, budget, ip_hash> budgets_;
  live_view live_;
  unsigned watchers_ = 0;
};

}  // namespace rw::control
