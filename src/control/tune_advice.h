// What a machine's settings outside of sysctl cost a gate. Only said: none of it is ever changed by
// us.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/machine_tree.h"

namespace rw::control {

struct advice {
  std::string about;    // "CPU governor"
  std::string saw;      // one line, with the value and where it is
  std::string wanted;   // one line
  std::string command;  // what an operator would paste, as root
};

// For whom.
struct advice_needs {
  unsigned workers = 1;
  std::uint64_t clients = 65536;  // at once
};

// CPU governor, huge pages, NUMA.
std::vector<advice> advise_on_machine(const machine_tree& at);
// Of each network card that is up: queues, interrupts, RPS, XPS.
std::vector<advice> advise_on_network(const machine_tree& at, const advice_needs& needs);
// io_uring, and what bounds the gate that runs (or, without one, whoever asks): descriptors, locked
// memory, its cgroup's CPU time and memory.
std::vector<advice> advise_on_limits(const machine_tree& at, const advice_needs& needs);

// All of these.
std::vector<advice> advise(const machine_tree& at, const advice_needs& needs);

}  // namespace rw::control
