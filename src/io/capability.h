// What this kernel lets us do, and why not: asked once at start, off the workers.
#pragma once

#include <cstdint>
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
// by that when this process may (root); others find it loaded or not at all. Any thread. Asked once
// in a process: one that is locked down can neither listen nor connect to what it likes.
kernel_tls probe_kernel_tls() noexcept;

// What decides about io_uring besides the errno, which does not tell the reasons apart.
struct refusal_facts {
  std::string disabled;   // kernel.io_uring_disabled, as it reads; empty before Linux 6.6
  std::string group;      // kernel.io_uring_group, likewise; -1 is nobody's
  bool in_group = false;  // this process belongs to it
  bool is_admin = false;  // CAP_SYS_ADMIN is in effect: root may lack it in a container
  int seccomp = 0;        // "Seccomp:" in /proc/self/status: 0 off, 1 strict, 2 filtered
  std::uint64_t locked_bytes_max = 0;  // RLIMIT_MEMLOCK
};

refusal_facts read_refusal_facts();

// One line for an operator: what refused io_uring, and how to mend it. Pure.
std::string explain_refusal(const error& why, const refusal_facts& facts);
inline std::string explain_refusal(const error& why) {
  return explain_refusal(why, read_refusal_facts());
}

}  // namespace rw::io
