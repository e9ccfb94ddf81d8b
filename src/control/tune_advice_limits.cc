#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "control/sysctl.h"
#include "control/tune_advice.h"

namespace rw::control {
namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

// As process.cc counts: two for each client, pipes and the rest beside them.
constexpr std::uint64_t descriptors_beside = 512;
constexpr std::uint64_t descriptors_of_worker = 64;
// Guarded secrets, and rings on kernels that count these; what systemd gives by itself.
constexpr std::uint64_t locked_bytes = 8 * mib;
// docs/tuning.md says where these come from. A cgroup is charged for the kernel's sockets too.
constexpr std::uint64_t bytes_of_client = 10U << 10U;
constexpr std::uint64_t bytes_of_worker = 32 * mib;
constexpr std::uint64_t bytes_beside = 64 * mib;
constexpr const char* machines_own = "all that the machine has";

std::uint64_t memory_wanted(const advice_needs& needs) {
  return bytes_beside + needs.workers * bytes_of_worker + needs.clients * bytes_of_client;
}

// A gate that runs, or "self".
std::string process_to_look_at(const machine_tree& at) {
  for (const std::string& name : at.names("/proc")) {
    if (!parse_u64(name) || at.line(fmt::format("/proc/{}/comm", name)) != "ringward") continue;
    // Words of a command line end in a NUL.
    if (at.line(fmt::format("/proc/{}/cmdline", name)).contains(std::string_view("\0run\0", 5))) {
      return name;
    }
  }
  return "self";
}

std::string whose(const std::string& process) {
  return process == "self" ? "of this shell: no gate runs" : "of process " + process;
}

// The hard limit in /proc/PID/limits.
std::optional<std::uint64_t> hard_limit(const machine_tree& at, const std::string& process,
                                        std::string_view title) {
  for (const std::string& line : at.lines(fmt::format("/proc/{}/limits", process))) {
    if (!line.starts_with(title)) continue;
    std::istringstream words(line.substr(title.size()));
    std::string soft;
    std::string hard;
    words >> soft >> hard;
    return hard == "unlimited" ? unlimited : parse_u64(hard);
  }
  return std::nullopt;
}

void on_process_limits(const machine_tree& at, const std::string& process,
                       const advice_needs& needs, std::vector<advice>& list) {
  const std::uint64_t files_wanted =
      needs.clients * 2 + descriptors_beside + needs.workers * descriptors_of_worker;
  const auto files = hard_limit(at, process, "Max open files");
  if (files && *files < files_wanted) {
    list.push_back(
        {"descriptors", fmt::format("RLIMIT_NOFILE {} ({})", *files, whose(process)),
         fmt::format("{} for {} clients: two for each, and its own", files_wanted, needs.clients),
         fmt::format("systemctl edit ringward   # [Service] LimitNOFILE={}", files_wanted)});
  }
  const auto locked = hard_limit(at, process, "Max locked memory");
  if (locked && *locked < locked_bytes) {
    list.push_back({"locked memory", fmt::format("RLIMIT_MEMLOCK {} ({})", *locked, whose(process)),
                    fmt::format("{}: secrets are kept out of swap", locked_bytes),
                    "systemctl edit ringward   # [Service] LimitMEMLOCK=8M"});
  }
}

// Of the second hierarchy, where Debian 12 and everything newer has all of them.
std::string cgroup_of(const machine_tree& at, const std::string& process) {
  for (const std::string& line : at.lines(fmt::format("/proc/{}/cgroup", process))) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return {};
}

struct quota {
  double cpus = 0;
  std::string where;
};

// The tightest on the way up.
std::optional<quota> cpu_quota(const machine_tree& at, std::string group) {
  std::optional<quota> least;
  for (; group.size() > 1; group.resize(group.find_last_of('/'))) {
    const std::string path = fmt::format("/sys/fs/cgroup{}/cpu.max", group);
    const std::string text = at.line(path);
    const std::size_t space = text.find(' ');
    if (space == std::string::npos) continue;
    const auto time = parse_u64(std::string_view(text).substr(0, space));  // not "max"
    const auto period = parse_u64(std::string_view(text).substr(space + 1));
    if (!time || !period || *period == 0) continue;
    const double cpus = static_cast<double>(*time) / static_cast<double>(*period);
    if (!least || cpus < least->cpus) least = {cpus, path};
  }
  return least;
}

struct bound {
  std::uint64_t bytes = unlimited;
  std::string where;
};

bound memory_bound(const machine_tree& at, std::string group) {
  bound least;
  for (const std::string& line : at.lines("/proc/meminfo")) {
    if (!line.starts_with("MemTotal:")) continue;
    const std::string words = normal_value(line.substr(9));
    const auto kib = parse_u64(words.substr(0, words.find(' ')));
    if (kib) least = {*kib * 1024, machines_own};
  }
  for (; group.size() > 1; group.resize(group.find_last_of('/'))) {
    const std::string path = fmt::format("/sys/fs/cgroup{}/memory.max", group);
    const auto bytes = at.number(path);  // not "max"
    if (bytes && *bytes < least.bytes) least = {*bytes, path};
  }
  return least;
}

void on_cgroup(const machine_tree& at, const std::string& process, const advice_needs& needs,
               std::vector<advice>& list) {
  const std::string group = cgroup_of(at, process);
  const auto cpu = cpu_quota(at, group);
  if (cpu && cpu->cpus < needs.workers) {
    const auto whole = std::max(1U, static_cast<unsigned>(cpu->cpus));
    list.push_back(
        {"CPU quota",
         fmt::format("{:.2f} CPUs for {} workers ({})", cpu->cpus, needs.workers, cpu->where),
         fmt::format("no quota, or server.workers = {}: throttled workers stop in the "
                     "middle of requests",
                     whole),
         "systemctl set-property ringward.service CPUQuota="});
  }
  const bound memory = memory_bound(at, group);
  const std::uint64_t wanted = memory_wanted(needs);
  if (memory.bytes < wanted) {
    list.push_back(
        {"memory", fmt::format("{} MiB ({})", memory.bytes / mib, memory.where),
         fmt::format("{} MiB for {} idle clients and {} workers", wanted / mib, needs.clients,
                     needs.workers),
         memory.where == machines_own
             ? "more memory, or a lower listener.max_connections"
             : fmt::format("systemctl set-property ringward.service MemoryMax={}M", wanted / mib)});
  }
}

void on_io_uring(const machine_tree& at, std::vector<advice>& list) {
  const std::string disabled = at.line("/proc/sys/kernel/io_uring_disabled");
  if (disabled == "2") {
    list.push_back({"io_uring", "kernel.io_uring_disabled = 2",
                    "0, or 1 with the service's group: Ringward does not start without it",
                    "sysctl -w kernel.io_uring_disabled=0"});
  } else if (disabled == "1" && at.line("/proc/sys/kernel/io_uring_group") == "-1") {
    list.push_back({"io_uring", "kernel.io_uring_disabled = 1, kernel.io_uring_group = -1",
                    "the group that the service runs in, or 0 for everybody",
                    "sysctl -w kernel.io_uring_group=$(getent group ringward | cut -d: -f3)"});
  }
}

}  // namespace

std::vector<advice> advise_on_limits(const machine_tree& at, const advice_needs& needs) {
  std::vector<advice> list;
  const std::string process = process_to_look_at(at);
  on_io_uring(at, list);
  on_process_limits(at, process, needs, list);
  on_cgroup(at, process, needs, list);
  return list;
}

}  // namespace rw::control
