#include "control/ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "control/tune.h"

namespace rw::control {
namespace {

std::string mib(std::uint64_t bytes) {
  return bytes == UINT64_MAX ? "unlimited" : fmt::format("{} MiB", bytes >> 20U);
}

void add_kernel(const ledger_facts& f, std::vector<ledger_entry>& out) {
  out.push_back({"kernel", f.kernel, ""});
  out.push_back(
      {"receives", f.bounds_receive ? "multishot, 64 KiB each" : "one per buffer",
       f.bounds_receive ? "" : "a receive for each buffer of a body (Linux 6.17 mends it)"});
  out.push_back({"waiting", f.no_iowait ? "idle" : "accounted as iowait",
                 f.no_iowait ? "" : "tools show an idle gate as busy (Linux 6.15 mends it)"});
}

void add_tls(const ledger_facts& f, std::vector<ledger_entry>& out) {
  using io::kernel_tls;
  switch (f.kernel_tls) {
    case kernel_tls::no:
      out.push_back({"kernel TLS", "no", "long answers over TLS are not spliced (`modprobe tls`)"});
      break;
    case kernel_tls::fixed_keys:
      out.push_back({"kernel TLS", "sends, with fixed keys",
                     "a client that asks for new keys is closed (Linux 6.14 mends it)"});
      break;
    case kernel_tls::renewable_keys:
      out.push_back({"kernel TLS", "sends, renews keys", ""});
      break;
  }
  std::vector<std::string> missing = f.dropped_groups;
  if (!f.tls.mlkem && missing.empty()) missing.emplace_back("X25519MLKEM768");
  out.push_back({"wolfSSL", f.tls_library,
                 missing.empty() ? "" : fmt::format("it lacks {}", fmt::join(missing, ", "))});
  out.push_back({"CPU crypto", f.tls.aes_cpu ? "AES, carry-less multiplication" : "none",
                 f.tls.aes_cpu ? "" : "AES-GCM costs several times as much"});
}

void add_bounds(const ledger_facts& f, std::vector<ledger_entry>& out) {
  out.push_back({"descriptors", fmt::format("{}", f.descriptors),
                 f.clients_max < f.clients_wanted
                     ? fmt::format("enough for {} clients of the {} that max_connections allows "
                                   "(LimitNOFILE=)",
                                   f.clients_max, f.clients_wanted)
                     : ""});
  out.push_back({"locked memory", mib(f.locked_bytes_max),
                 f.secrets_locked ? "" : "secrets may be written to swap (LimitMEMLOCK=)"});
  const bool tight = f.memory_max != 0 && f.memory_max < f.memory_bound;
  out.push_back({"memory", f.memory_max == 0 ? "no bound" : "at most " + mib(f.memory_max),
                 tight ? fmt::format("it may need {}: the kernel ends it before (MemoryMax=)",
                                     mib(f.memory_bound))
                       : ""});
  const bool slow = f.cpus_max > 0 && f.cpus_max < f.workers;
  out.push_back(
      {"CPU time", f.cpus_max > 0 ? fmt::format("{:.2f} CPUs", f.cpus_max) : "no bound",
       slow ? fmt::format("{} workers are throttled together (CPUQuota=)", f.workers) : ""});
  const bool drifted = f.drifted != 0;
  out.push_back(
      {"sysctl",
       f.profile.empty() ? "no profile applied"
                         : fmt::format("{}, {} settings", f.profile, f.settings),
       drifted ? fmt::format("{} of them differ (`ringward tune {}`)", f.drifted, f.profile) : ""});
}

}  // namespace

std::vector<ledger_entry> ledger_of(const ledger_facts& facts) {
  std::vector<ledger_entry> out;
  add_kernel(facts, out);
  add_tls(facts, out);
  add_bounds(facts, out);
  out.push_back(facts.lockdown);
  return out;
}

void read_bounds(const machine_tree& tree, ledger_facts& facts) {
  rlimit lock{};
  if (::getrlimit(RLIMIT_MEMLOCK, &lock) == 0) {
    facts.locked_bytes_max = lock.rlim_cur == RLIM_INFINITY ? UINT64_MAX : lock.rlim_cur;
  }
  for (const std::string& line : tree.lines("/proc/self/cgroup")) {
    if (!line.starts_with("0::/")) continue;
    // A group is held to the bounds of those above it, too.
    for (std::string path = line.substr(3); !path.empty();) {
      const std::string group = "/sys/fs/cgroup" + (path == "/" ? "" : path);
      if (const auto bytes = tree.number(group + "/memory.max")) {
        facts.memory_max = facts.memory_max == 0 ? *bytes : std::min(facts.memory_max, *bytes);
      }
      const std::string quota = tree.line(group + "/cpu.max");  // "200000 100000", or "max 100000"
      const std::size_t space = std::min(quota.find(' '), quota.size());
      const auto used = parse_u64(std::string_view(quota).substr(0, space));
      const auto period =
          parse_u64(std::string_view(quota).substr(std::min(space + 1, quota.size())));
      if (used && period && *period != 0) {
        const double cpus = static_cast<double>(*used) / static_cast<double>(*period);
        facts.cpus_max = facts.cpus_max > 0 ? std::min(facts.cpus_max, cpus) : cpus;
      }
      path.resize(path.rfind('/'));
    }
  }
}

void read_drift(const std::string& state, const std::string& profiles, ledger_facts& facts) {
  const tuner with({.root = {}, .state = state});
  const auto before = with.memory();
  if (!before || !*before) return;
  facts.profile = (*before)->name;
  const auto profile = read_profile(facts.profile, profiles);
  if (!profile) return;
  const std::vector<drift> all = with.compare(*profile);
  facts.settings = all.size();
  facts.drifted = static_cast<std::size_t>(
      std::ranges::count_if(all, [](const drift& one) { return !one.in_order(); }));
}

}  // namespace rw::control
