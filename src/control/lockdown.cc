#include "control/lockdown.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "control/landlock.h"
#include "control/privileges.h"
#include "control/system_calls.h"
#include "io/restrictions.h"

namespace rw::control {
namespace {

constexpr std::string_view privileges_name = "privileges";
constexpr std::string_view capabilities_name = "capabilities";
constexpr std::string_view rings_name = "io_uring";
constexpr std::string_view new_rings_name = "new rings";
constexpr std::string_view calls_name = "system calls";
constexpr std::string_view files_name = "files";
constexpr std::string_view connects_name = "connections";
constexpr std::string_view signals_name = "signals";
constexpr std::string_view few_places = "in";  // how that entry begins where it is in force

// A sanitizer traces its own threads, starts a program for its reports and calls what it likes.
constexpr bool sanitized =
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif

ledger_entry part(std::string_view what, std::string is, std::string cost = {}) {
  return {std::string(what), std::move(is), std::move(cost)};
}

std::string off_because(int code) {
  return fmt::format("not in force: {}", code == ENOSYS ? "not in this kernel, or not in this build"
                                                        : std::strerror(code));
}

bool may(const std::string& path, int how) noexcept {
  return ::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0 || errno == ENOENT ||
         errno == EROFS;
}

// Whether plain permissions are enough for all that is read and written; the first that they are
// not enough for.
std::string first_out_of_bounds(const reach& to) {
  for (const std::string& one : to.files) {
    if (!may(one, R_OK)) return one;
  }
  for (const std::string& one : to.writes) {
    struct stat is{};
    const bool directory = ::stat(one.c_str(), &is) == 0 && S_ISDIR(is.st_mode);
    if (!may(one, directory ? W_OK | X_OK : W_OK)) return one;
  }
  for (const std::string& one : to.logs) {
    if (!may(one, W_OK)) return one;
  }
  return {};
}

void add_privileges(const reach& to, lockdown_parts& parts) {
  std::string why;
  allow_leaving_idle();
  const privileges left = drop_privileges([&] {
    why = first_out_of_bounds(to);
    return why.empty();
  });
  parts.push_back(left.none_new == 0 ? part(privileges_name, "no new ones")
                                     : part(privileges_name, "what is started gains new ones",
                                            off_because(left.none_new)));
  if (left.dropped != 0) {
    parts.push_back(part(capabilities_name, "as they were", off_because(left.dropped)));
  } else if (left.keeps_files) {
    parts.push_back(part(capabilities_name, "CAP_DAC_OVERRIDE alone",
                         fmt::format("root needs it for {}, which belongs to others", why)));
  } else {
    parts.push_back(part(capabilities_name, "none"));
  }
}

void add_landlock(const landlock_state& kernel, const reach& to, lockdown_parts& parts) {
  if (kernel.refused != 0) {
    const std::string why = kernel.version == 0
                                ? "this kernel has no Landlock, or it is not switched on (lsm=)"
                                : off_because(kernel.refused);
    for (const std::string_view one : {files_name, connects_name, signals_name}) {
      parts.push_back(part(one, "all that its user may", why));
    }
    return;
  }
  parts.push_back(part(files_name,
                       fmt::format("{} {} places", few_places, to.reads.size() + to.writes.size()),
                       kernel.version < 3 ? "files may be cut short (Linux 6.2 mends it)" : ""));
  parts.push_back(
      kernel.connects()
          ? part(connects_name, fmt::format("TCP to port {}", fmt::join(to.ports, ", ")))
          : part(connects_name, "to everywhere", "Landlock bounds them from Linux 6.7 on"));
  parts.push_back(
      kernel.signals()
          ? part(signals_name, "to itself alone")
          : part(signals_name, "to all processes of its user",
                 "Landlock bounds them from Linux 6.12 on; seccomp keeps kill(2) away"));
}

}  // namespace

lockdown_parts lock_down(const reach& to, const io::ring& rings) {
  lockdown_parts parts;
  parts.push_back(io::is_restricted(rings)
                      ? part(rings_name, "what its rings use, and no other operation")
                      : part(rings_name, "all operations", "this kernel refused restrictions"));
  if (sanitized) {
    parts.push_back(part("the rest", "as it was", "this is a build with a sanitizer"));
    return parts;
  }
  // Before Landlock, whose rules are made by opening directories: what plain permissions do not
  // reach is to be found out here, not later.
  add_privileges(to, parts);
  add_landlock(keep_within(to), to, parts);
  // Last, since it takes away the calls for the others.
  const int failed = filter_system_calls();
  parts.push_back(failed == 0 ? part(calls_name, "what a gate uses; to start a program ends it")
                              : part(calls_name, "all that its user may", off_because(failed)));
  return parts;
}

ledger_entry lock_rings() {
  const int failed = sanitized ? ENOSYS : seal_rings();
  return failed == 0 ? part(new_rings_name, "none")
                     : part(new_rings_name, "without restrictions", off_because(failed));
}

bool keeps_within(const lockdown_parts& parts) noexcept {
  return std::ranges::any_of(parts, [](const ledger_entry& one) {
    return one.what == files_name && one.is.starts_with(few_places);
  });
}

bool keeps_to_ports(const lockdown_parts& parts) noexcept {
  return std::ranges::any_of(
      parts, [](const ledger_entry& one) { return one.what == connects_name && one.cost.empty(); });
}

ledger_entry sum_up(const lockdown_parts& parts) {
  std::vector<std::string> lacking;
  for (const ledger_entry& one : parts) {
    if (!one.cost.empty())
      lacking.push_back(fmt::format("{}: {} ({})", one.what, one.is, one.cost));
  }
  return {"lockdown",
          lacking.empty()
              ? "whole"
              : fmt::format("{} of {} parts", parts.size() - lacking.size(), parts.size()),
          fmt::format("{}", fmt::join(lacking, ", "))};
}

}  // namespace rw::control
