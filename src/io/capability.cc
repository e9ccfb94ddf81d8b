#include "io/capability.h"

#include <fmt/core.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

#include "io/ring.h"

namespace rw::io {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The value after "NAME:" in /proc/self/status.
std::string status_value(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    const std::size_t begin = line.find_first_not_of(" \t", name.size() + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

template <class T>
T number(std::string_view text, T otherwise, int base = 10) {
  T value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

bool belongs_to(gid_t group) {
  if (::getegid() == group) return true;
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
  const int got = ::getgroups(count, groups.data());
  groups.resize(static_cast<std::size_t>(std::max(got, 0)));
  return std::ranges::find(groups, group) != groups.end();
}

}  // namespace

refusal_facts read_refusal_facts() {
  refusal_facts found;
  found.disabled = first_line("/proc/sys/kernel/io_uring_disabled");
  found.group = first_line("/proc/sys/kernel/io_uring_group");
  const auto group = number<std::int64_t>(found.group, -1);
  found.in_group = group >= 0 && belongs_to(static_cast<gid_t>(group));
  constexpr unsigned sys_admin = 21;  // linux/capability.h
  found.is_admin = (number<std::uint64_t>(status_value("CapEff"), 0, 16) >> sys_admin & 1U) != 0;
  found.seccomp = number(status_value("Seccomp"), 0);
  rlimit lock{};
  if (::getrlimit(RLIMIT_MEMLOCK, &lock) == 0) found.locked_bytes_max = lock.rlim_cur;
  return found;
}

std::string explain_refusal(const error& why, const refusal_facts& facts) {
  if (facts.disabled == "2") {
    return "io_uring is switched off on this machine (kernel.io_uring_disabled = 2): "
           "run `sysctl kernel.io_uring_disabled=0`";
  }
  if (facts.disabled == "1" && !facts.is_admin && !facts.in_group) {
    return fmt::format(
        "io_uring is kept from processes without CAP_SYS_ADMIN (kernel.io_uring_disabled = 1) that "
        "are not in its group (kernel.io_uring_group = {}): name a group of the service's with "
        "`sysctl kernel.io_uring_group=GID`, or set kernel.io_uring_disabled=0",
        facts.group);
  }
  if (why.os == ENOSYS) {
    return "this kernel is built without io_uring: Ringward needs Linux 6.1 or newer with it";
  }
  if ((why.os == EPERM || why.os == EACCES) && facts.seccomp != 0) {
    return fmt::format(
        "io_uring is refused by a seccomp filter around this process (Seccomp: {} in "
        "/proc/self/status): containers need a profile that allows io_uring_setup, "
        "io_uring_enter and io_uring_register",
        facts.seccomp);
  }
  if (why.os == ENOMEM) {
    return fmt::format(
        "io_uring found no memory to lock (RLIMIT_MEMLOCK is {} KiB): raise "
        "LimitMEMLOCK= or `ulimit -l`",
        facts.locked_bytes_max / 1024);
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
