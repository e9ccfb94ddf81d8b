// What this kernel lets us do, and why not: asked once at start, off the workers.
#pragma once

#include <string>

#include "base/error.h"

namespace rw::io {

struct capabilities {
  std::string kernel;       // release, as uname(2) says it
  bool io_uring = false;    // a ring as we need it can be made
  std::string refusal;      // else: why, and the mend
  bool kernel_tls = false;  // the `tls` module is there
  bool no_iowait = false;   // idle waiting is not accounted as iowait (6.15)
};

// Makes and drops a ring. Any thread.
capabilities probe();

// One line for an operator: what refused io_uring, and how to mend it. Reads the sysctl and this
// process's seccomp state, because the errno alone does not tell them apart.
std::string explain_refusal(const error& why);

}  // namespace rw::io
