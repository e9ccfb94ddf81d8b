// Landlock (landlock(7)): the kernel keeps a process to directories and ports that it has named,
// for good, whatever its user may do.
#pragma once

#include <cstdint>
#include <string>

#include "control/reach.h"

namespace rw::control {

struct landlock_state {
  int version = 0;  // of the kernel's interface; 0: it has none
  int refused = 0;  // errno of what failed; 0: in force
  bool connects() const noexcept { return version >= 4; }  // TCP: connect and bind (6.7)
  bool signals() const noexcept { return version >= 6; }   // to other processes (6.12)
};

// From now on the calling thread, and every thread that it starts, opens nothing but what `to` has,
// runs no program, binds no TCP port and connects to those of `to` alone, as far as this kernel
// can. Needs no_new_privs. What is open stays so. Unix sockets and UDP are not bounded by it.
landlock_state keep_within(const reach& to);

}  // namespace rw::control
