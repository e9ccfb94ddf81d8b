#include "control/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace rw::control {
namespace {

// Newer than the headers of Linux 6.1.
struct ruleset_attributes {
  std::uint64_t files;
  std::uint64_t ports;   // version 4
  std::uint64_t scopes;  // version 6
};
struct port_rule {
  std::uint64_t allowed;
  std::uint64_t port;
};
constexpr int rule_of_port = 2;                       // LANDLOCK_RULE_NET_PORT
constexpr std::uint64_t bind_tcp = 1U << 0U;          // LANDLOCK_ACCESS_NET_BIND_TCP
constexpr std::uint64_t connect_tcp = 1U << 1U;       // LANDLOCK_ACCESS_NET_CONNECT_TCP
constexpr std::uint64_t control_devices = 1U << 15U;  // LANDLOCK_ACCESS_FS_IOCTL_DEV
constexpr std::uint64_t send_signals = 1U << 1U;      // LANDLOCK_SCOPE_SIGNAL
constexpr std::uint64_t truncate_file = 1U << 14U;    // LANDLOCK_ACCESS_FS_TRUNCATE
constexpr std::uint64_t of_version_1 = (1U << 13U) - 1;

constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t writing = reading | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                  truncate_file;
constexpr std::uint64_t removing = LANDLOCK_ACCESS_FS_REMOVE_FILE;
// What can be allowed of a file itself.
constexpr std::uint64_t of_a_file =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | truncate_file;

std::uint64_t known_to(int version) noexcept {
  std::uint64_t all = of_version_1;
  if (version >= 2) all |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) all |= truncate_file;
  if (version >= 5) all |= control_devices;
  return all;
}

int add_rule(int ruleset, int kind, const void* rule) noexcept {
  return ::syscall(SYS_landlock_add_rule, ruleset, kind, rule, 0U) == 0 ? 0 : errno;
}

// What is not there is not opened later either: no rule, and no error.
int allow_path(int ruleset, const std::string& path, std::uint64_t what) {
  const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return 0;
  struct stat is{};
  if (::fstat(fd, &is) == 0 && !S_ISDIR(is.st_mode)) what &= of_a_file;
  const landlock_path_beneath_attr rule{.allowed_access = what, .parent_fd = fd};
  const int failed = what == 0 ? 0 : add_rule(ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule);
  ::close(fd);
  return failed;
}

int allow_all(int ruleset, const landlock_state& kernel, const reach& to) {
  const std::uint64_t known = known_to(kernel.version);
  for (const std::string& one : to.reads) {
    if (const int failed = allow_path(ruleset, one, reading & known)) return failed;
  }
  for (const std::string& one : to.writes) {
    if (const int failed = allow_path(ruleset, one, writing & known)) return failed;
  }
  for (const std::string& one : to.sockets) {
    if (const int failed = allow_path(ruleset, one, removing)) return failed;
  }
  if (!kernel.connects()) return 0;
  for (const std::uint16_t one : to.ports) {
    const port_rule rule{.allowed = connect_tcp, .port = one};
    if (const int failed = add_rule(ruleset, rule_of_port, &rule)) return failed;
  }
  return 0;
}

}  // namespace

landlock_state keep_within(const reach& to) {
  landlock_state kernel;
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version <= 0) {
    kernel.refused = errno;
    return kernel;
  }
  kernel.version = static_cast<int>(version);
  ruleset_attributes handled{};
  handled.files = known_to(kernel.version);
  if (kernel.connects()) handled.ports = bind_tcp | connect_tcp;
  if (kernel.signals()) handled.scopes = send_signals;
  // Zeroes at the end are as good as nothing there to a kernel that knows less.
  const long ruleset = ::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0U);
  if (ruleset < 0) {
    kernel.refused = errno;
    return kernel;
  }
  kernel.refused = allow_all(static_cast<int>(ruleset), kernel, to);
  if (kernel.refused == 0 && ::syscall(SYS_landlock_restrict_self, ruleset, 0U) != 0) {
    kernel.refused = errno;
  }
  ::close(static_cast<int>(ruleset));
  return kernel;
}

}  // namespace rw::control
