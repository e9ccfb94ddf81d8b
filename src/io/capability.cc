#include "io/capability.h"

#include <liburing.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "io/ring.h"

namespace rw::io {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool seccomp_filtered() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return line.find_first_of("12", 8) != std::string::npos;
  }
  return false;
}

}  // namespace

std::string explain_refusal(const error& why) {
  const std::string disabled = first_line("/proc/sys/kernel/io_uring_disabled");
  if (disabled == "2") {
    return "io_uring is switched off on this machine (kernel.io_uring_disabled = 2): "
           "run `sysctl kernel.io_uring_disabled=0`";
  }
  if (disabled == "1" && geteuid() != 0) {
    return "io_uring is kept from ordinary users (kernel.io_uring_disabled = 1): add the service's "
           "group with `sysctl kernel.io_uring_group=GID`, or set kernel.io_uring_disabled=0";
  }
  if (why.os == ENOSYS) {
    return "this kernel is built without io_uring: Ringward needs Linux 6.1 or newer with it";
  }
  if ((why.os == EPERM || why.os == EACCES) && seccomp_filtered()) {
    return "io_uring is refused by a seccomp filter around this process (Seccomp: 2 in "
           "/proc/self/status): containers need a profile that allows io_uring_setup, "
           "io_uring_enter and io_uring_register";
  }
  if (why.os == ENOMEM) {
    rlimit lock{};
    getrlimit(RLIMIT_MEMLOCK, &lock);
    return "io_uring found no memory to lock (RLIMIT_MEMLOCK is " +
           std::to_string(lock.rlim_cur / 1024) + " KiB): raise LimitMEMLOCK= or `ulimit -l`";
  }
  if (why.os == EINVAL) {
    return "this kernel's io_uring is too old: Ringward needs Linux 6.1 or newer";
  }
  return std::string("io_uring is refused: ") + std::strerror(why.os);
}

capabilities probe() {
  capabilities found;
  utsname name{};
  uname(&name);
  found.kernel = name.release;
  found.tls = probe_kernel_tls();
  const auto made = ring::create(8);
  found.io_uring = made.has_value();
  if (!made) found.refusal = explain_refusal(made.error());
  io_uring_params params{};
  const int fd = io_uring_setup(4, &params);
  if (fd >= 0) {
    found.no_iowait = (params.features & (1U << 17)) != 0;
    close(fd);
  }
  return found;
}

}  // namespace rw::io
