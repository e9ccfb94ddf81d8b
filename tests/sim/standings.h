// What must hold for the servers of an upstream at any time, whatever their origins do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "configuration.h"
#include "world.h"

namespace rw::sim {

class standings {
 public:
  standings(world& in, const configurations& used) : world_(in), used_(used) {}

  // Never more than half of the servers ejected, never all that there are.
  void look();
  // A request has come to the origin on that port: not when it is ejected, but for one that tries
  // whether it is well again.
  void arrived(std::uint16_t port);
  // At the end: nothing is under way, waiting or being tried.
  void expect_idle();
  std::uint64_t ejections() const;
  // Over all servers that there ever were.
  std::uint64_t sum(const std::function<std::uint64_t(const upstream::server_health&)>& of) const;
  std::uint64_t trials() const noexcept { return trials_; }

 private:
  // Of the requests that were sent before, the last has arrived by then: a connection may take 2 s,
  // with TLS.
  static constexpr milliseconds on_the_way{2'500};
  bool is_out(std::uint16_t port, const gateway::upstream_plan& of, bool& trying) const;

  world& world_;
  const configurations& used_;
  std::map<std::uint16_t, mono_time> tried_;  // when the trial began that has had its request
  std::uint64_t trials_ = 0;
};

}  // namespace rw::sim
