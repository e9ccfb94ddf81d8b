// The capability ledger: what this machine gives the gate, and what each thing that is missing
// costs. A degraded mode is never silent: it is in the log at start and in `ringward status`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/machine_tree.h"
#include "io/capability.h"
#include "tls/library.h"

namespace rw::control {

struct ledger_entry {
  std::string what;
  std::string is;
  std::string cost;  // of what is missing; empty: nothing is
};

// As found; gathered once at start but for what may change while the gate runs.
struct ledger_facts {
  std::string kernel;           // release
  bool bounds_receive = false;  // a multishot receive ends after 64 KiB (6.17)
  bool no_iowait = false;       // waiting is not accounted as iowait (6.15)
  io::kernel_tls kernel_tls = io::kernel_tls::no;
  std::string tls_library;
  tls::library_features tls;
  std::vector<std::string> dropped_groups;  // configured, and unknown to that library
  std::uint64_t descriptors = 0;            // RLIMIT_NOFILE
  std::uint64_t clients_wanted = 0;         // max_connections of all listeners
  std::uint64_t clients_max = 0;            // that the descriptors are enough for
  std::uint64_t locked_bytes_max = 0;       // RLIMIT_MEMLOCK; UINT64_MAX: no bound
  bool secrets_locked = true;
  std::uint64_t memory_max = 0;  // of the control group; 0: none
  std::uint64_t memory_bound = 0;
  double cpus_max = 0;  // likewise
  unsigned workers = 0;
  std::string profile;  // of `ringward tune`; empty: none is applied
  std::size_t settings = 0;
  std::size_t drifted = 0;  // of them
  ledger_entry lockdown;    // of lockdown.h, as it sums itself up
};

// In the order they are printed. Pure.
std::vector<ledger_entry> ledger_of(const ledger_facts& facts);

// The bounds of this process's control group (v2) and RLIMIT_MEMLOCK. Blocks on the disk.
void read_bounds(const machine_tree& tree, ledger_facts& facts);
// The profile that `ringward tune` has applied and how far the kernel is from it; `state` is where
// that is remembered, `profiles` where profiles are. Blocks on the disk.
void read_drift(const std::string& state, const std::string& profiles, ledger_facts& facts);

}  // namespace rw::control
