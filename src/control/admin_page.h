// The admin address: /healthz, /readyz and /metrics over plain HTTP.
#pragma once

#include <unordered_map>

#include "config/cidr.h"
#include "control/small_server.h"

namespace rw::control {

class process;

class admin_page final : public small_server {
 public:
  static constexpr unsigned connections_max = 64;
  static constexpr unsigned requests_per_second = 50;  // of one client; then 429

  admin_page(process& of, io::loop& on, net::listening_sockets socket);

 private:
  io::task<> serve(net::stream& client) override;
  bool admit(const config::ip16& client);

  struct budget {
    std::int64_t second = 0;
    unsigned used = 0;
  };
  struct ip_hash {
    std::size_t operator()(const config::ip16& ip) const noexcept;
  };
  process& process_;
  std::unordered_map<config::ip16, budget, ip_hash> budgets_;
};

}  // namespace rw::control
