// What /etc/resolv.conf says about how long to wait for name servers.
#pragma once

#include <chrono>
#include <string_view>

namespace rw::control {

// c-ares asks each server in turn, all of them `attempts` times, and waits twice as long in each
// round: servers x timeout x (2^attempts - 1) in all.
struct resolv_options {
  std::chrono::seconds timeout{2};
  int attempts = 2;
};

// `options timeout:N attempts:N` of resolv.conf(5), the last of each; what it does not say, or says
// wrongly, is as above. Bounded: 5 s, 5 attempts, and so few of both that all that it names is
// asked within resolv_time_max.
inline constexpr std::chrono::seconds resolv_time_max{18};
resolv_options read_resolv_options(std::string_view resolv_conf) noexcept;

// Those of this machine now.
resolv_options machine_resolv_options();

}  // namespace rw::control
