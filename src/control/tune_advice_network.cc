#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "control/tune_advice.h"

namespace rw::control {
namespace {

struct card {
  std::string name;
  std::string path;  // below /sys
  std::vector<std::string> receive;
  std::vector<std::string> transmit;
};

std::vector<std::string> queues_of(const machine_tree& at, const std::string& path,
                                   std::string_view kind) {
  std::vector<std::string> all = at.names(path + "/queues");
  std::erase_if(all, [&](const std::string& one) { return !one.starts_with(kind); });
  return all;
}

// Real ones, or those that a hypervisor gives: what has no device (lo, bridges, tunnels) has no
// queues of its own either.
std::vector<card> cards_of(const machine_tree& at) {
  std::vector<card> all;
  for (const std::string& name : at.names("/sys/class/net")) {
    const std::string path = "/sys/class/net/" + name;
    if (!at.exists(path + "/device") || at.line(path + "/operstate") != "up") continue;
    all.push_back({name, path, queues_of(at, path, "rx-"), queues_of(at, path, "tx-")});
  }
  return all;
}

bool is_zero(std::string_view mask) {
  return !mask.empty() && mask.find_first_not_of("0,") == std::string_view::npos;
}

void on_queues(const card& one, const advice_needs& needs, std::vector<advice>& list) {
  const std::size_t queues = one.receive.size();
  if (queues == 0 || queues >= needs.workers) return;
  list.push_back(
      {fmt::format("{} queues", one.name),
       fmt::format("queues to receive: {}, workers: {}", queues, needs.workers),
       fmt::format("{}, as far as the card has them (`ethtool -l {}`): each CPU takes its own "
                   "packets",
                   needs.workers, one.name),
       fmt::format("ethtool -L {} combined {}", one.name, needs.workers)});
}

// CPUs that take this card's interrupts. A virtio card's are those of the PCI device above it.
void on_interrupts(const machine_tree& at, const card& one, const std::vector<unsigned>& cpus,
                   std::vector<advice>& list) {
  std::string directory = one.path + "/device/msi_irqs";
  if (!at.exists(directory)) directory = one.path + "/device/../msi_irqs";
  const std::vector<std::string> numbers = at.names(directory);
  std::set<unsigned> taking;
  for (const std::string& number : numbers) {
    std::string where = at.line(fmt::format("/proc/irq/{}/effective_affinity_list", number));
    if (where.empty()) where = at.line(fmt::format("/proc/irq/{}/smp_affinity_list", number));
    const auto these = parse_cpu_list(where);
    if (these) taking.insert(these->begin(), these->end());
  }
  const std::size_t due = std::min(one.receive.size(), cpus.size());
  if (taking.empty() || taking.size() >= due) return;
  list.push_back(
      {fmt::format("{} interrupts", one.name),
       fmt::format("queues: {}, interrupts on CPUs {} alone", one.receive.size(),
                   cpu_list({taking.begin(), taking.end()})),
       fmt::format("on {} CPUs, one for each queue", due),
       fmt::format(
           "i=0; for irq in $(ls {} | sort -n); do echo $((i++ % {})) > "
           "/proc/irq/$irq/smp_affinity_list; done   # and stop irqbalance, or let it do this",
           directory, cpus.size())});
}

void on_steering(const machine_tree& at, const card& one, const std::vector<unsigned>& cpus,
                 std::vector<advice>& list) {
  const auto unset = [&](const std::string& queue, const char* file) {
    return is_zero(at.line(fmt::format("{}/queues/{}/{}", one.path, queue, file)));
  };
  const auto all_unset = [&](const std::vector<std::string>& queues, const char* file) {
    return !queues.empty() && std::ranges::all_of(queues, [&](const std::string& queue) {
      return unset(queue, file);
    });
  };
  if (one.receive.size() < cpus.size() && all_unset(one.receive, "rps_cpus")) {
    list.push_back(
        {fmt::format("{} RPS", one.name),
         fmt::format("off; queues to receive: {}, CPUs: {}", one.receive.size(), cpus.size()),
         "on all of them, when the card cannot have more queues: one CPU in "
         "interrupts is what the others wait for",
         fmt::format("for q in {}/queues/rx-*; do echo {} > $q/rps_cpus; done", one.path,
                     cpu_mask(cpus))});
  }
  if (one.transmit.size() > 1 && all_unset(one.transmit, "xps_cpus")) {
    list.push_back(
        {fmt::format("{} XPS", one.name),
         fmt::format("off; queues to send: {}", one.transmit.size()),
         "a queue of its own for each CPU: no lock between them",
         fmt::format("for i in $(seq 0 {}); do printf %x $((1 << i)) > "
                     "{}/queues/tx-$i/xps_cpus; done",
                     std::min({one.transmit.size(), cpus.size(), std::size_t{32}}) - 1, one.path)});
  }
}

}  // namespace

std::vector<advice> advise_on_network(const machine_tree& at, const advice_needs& needs) {
  std::vector<advice> list;
  const auto cpus = parse_cpu_list(at.line("/sys/devices/system/cpu/online"));
  if (!cpus || cpus->size() < 2) return list;
  for (const card& one : cards_of(at)) {
    on_queues(one, needs, list);
    on_interrupts(at, one, *cpus, list);
    on_steering(at, one, *cpus, list);
  }
  return list;
}

}  // namespace rw::control
