#include "control/tune_advice.h"

#include <fmt/core.h>

#include <map>

namespace rw::control {
namespace {

constexpr const char* cpu_directory = "/sys/devices/system/cpu";
constexpr const char* node_directory = "/sys/devices/system/node";
constexpr const char* thp = "/sys/kernel/mm/transparent_hugepage/enabled";

void on_governor(const machine_tree& at, std::vector<advice>& list) {
  std::map<std::string, std::vector<unsigned>> others;
  const auto cpus = parse_cpu_list(at.line(fmt::format("{}/online", cpu_directory)));
  if (!cpus) return;
  for (const unsigned cpu : *cpus) {
    const std::string governor =
        at.line(fmt::format("{}/cpu{}/cpufreq/scaling_governor", cpu_directory, cpu));
    if (!governor.empty() && governor != "performance") others[governor].push_back(cpu);
  }
  for (const auto& [governor, where] : others) {
    list.push_back({"CPU governor", fmt::format("{} on CPUs {}", governor, cpu_list(where)),
                    "performance: a worker that has waited goes on at full clock",
                    fmt::format("for cpu in {}/cpu[0-9]*; do echo performance > "
                                "$cpu/cpufreq/scaling_governor; done",
                                cpu_directory)});
  }
}

void on_huge_pages(const machine_tree& at, std::vector<advice>& list) {
  if (!at.line(thp).contains("[always]")) return;
  list.push_back({"transparent huge pages", fmt::format("always ({})", thp),
                  "madvise: small allocations of many connections must not each cost 2 MiB, nor "
                  "wait for compaction",
                  fmt::format("echo madvise > {}", thp)});
}

void on_numa(const machine_tree& at, std::vector<advice>& list) {
  const auto nodes = parse_cpu_list(at.line(fmt::format("{}/online", node_directory)));
  if (!nodes || nodes->size() < 2) return;
  std::string layout;
  for (const unsigned node : *nodes) {
    layout += fmt::format("{}node {}: CPUs {}", layout.empty() ? "" : ", ", node,
                          at.line(fmt::format("{}/node{}/cpulist", node_directory, node)));
  }
  unsigned home = nodes->front();
  for (const std::string& card : at.names("/sys/class/net")) {
    const auto node = at.number(fmt::format("/sys/class/net/{}/device/numa_node", card));
    if (!node) continue;  // -1 as well: the firmware does not say
    home = static_cast<unsigned>(*node);
    layout += fmt::format(", {} at node {}", card, home);
  }
  list.push_back(
      {"NUMA", layout,
       "a gate's workers and memory on one node, the network card's; a second instance "
       "(ringward@) for another one",
       fmt::format("systemctl edit ringward   # [Service] CPUAffinity={} NUMAPolicy=bind "
                   "NUMAMask={}",
                   at.line(fmt::format("{}/node{}/cpulist", node_directory, home)), home)});
  if (at.line("/proc/sys/kernel/numa_balancing") == "1") {
    list.push_back({"NUMA balancing", "kernel.numa_balancing = 1",
                    "0: workers are pinned, so moving their pages after them only costs faults",
                    "sysctl -w kernel.numa_balancing=0"});
  }
}

}  // namespace

std::vector<advice> advise_on_machine(const machine_tree& at) {
  std::vector<advice> list;
  on_governor(at, list);
  on_huge_pages(at, list);
  on_numa(at, list);
  return list;
}

std::vector<advice> advise(const machine_tree& at, const advice_needs& needs) {
  std::vector<advice> all = advise_on_machine(at);
  for (auto* more : {advise_on_network, advise_on_limits}) {
    for (advice& one : more(at, needs)) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace rw::control
