// What this kernel lets us do, and why not: asked once at start, off the workers.
#pragma once

#include <string>

#include "base/error.h"
#include "io/ring.h"

namespace rw::io {

struct capabilities {
  std::string kernel;     // release, as uname(2) says it
  bool io_uring = false;  // a ring as we need it can be made
  std::string refusal;    // else: why, and the mend
  kernel_tls tls = kernel_tls::no;
  bool no_iowait = false;  // idle waiting is not accounted as iowait (6.15)
};

// Makes and drops a ring. Any thread.
capabilities probe();

// Tries it on two sockets of its own that are connected to each other. The `tls` module is loaded
// by that when this process may (root); others find it loaded or not at all. Any thread.
kernel_tls probe_kernel_tls() noexcept;

// One line for an operator: what refused io_uring, and how to mend it. Reads the sysctl and this
// process's seccomp state, because the errno alone does not tell them apart.
std::string explain_refusal(const error& why);

}  // namespace rw::io
