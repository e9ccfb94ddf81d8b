#include "control/tune_advice.h"

#include <gtest/gtest.h>

#include "fake_tree.h"

namespace rw::control {
namespace {

// A machine of four CPUs that needs no advice; tests spoil it.
class TuneAdvice : public testing::Test {
 protected:
  TuneAdvice() {
    put("/sys/devices/system/cpu/online", "0-3\n");
    for (const char* cpu : {"0", "1", "2", "3"}) {
      put(std::string("/sys/devices/system/cpu/cpu") + cpu + "/cpufreq/scaling_governor",
          "performance\n");
    }
    put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    put("/sys/devices/system/node/online", "0\n");
    put("/proc/sys/kernel/io_uring_disabled", "0\n");
    put("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n");
    card(4);
    limits("self", 200000, 8388608);
    put("/proc/self/cgroup", "1:name=systemd:/\n0::/user.slice/session.scope\n");
  }
  void put(const std::string& path, std::string_view text) const { tree_.put(path, text); }

  // eth0 as virtio has it: its interrupts are those of the PCI device above.
  void card(unsigned queues) const {
    const std::string pci = "/sys/devices/pci0/card";
    tree_.drop("/sys/class");
    tree_.drop(pci);
    put("/sys/class/net/eth0/operstate", "up\n");
    put("/sys/class/net/lo/operstate", "unknown\n");
    put(pci + "/virtio2/vendor", "");
    tree_.link("/sys/class/net/eth0/device", tree_.root() + pci + "/virtio2");
    for (unsigned i = 0; i < queues; ++i) {
      const std::string number = std::to_string(i);
      put("/sys/class/net/eth0/queues/rx-" + number + "/rps_cpus", "0\n");
      put("/sys/class/net/eth0/queues/tx-" + number + "/xps_cpus", i == 0 ? "1\n" : "2\n");
      put(pci + "/msi_irqs/" + std::to_string(40 + i), "msix\n");
      put("/proc/irq/" + std::to_string(40 + i) + "/effective_affinity_list", number + "\n");
    }
  }
  void limits(const std::string& process, unsigned files, unsigned locked) const {
    put("/proc/" + process + "/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 " +
            std::to_string(files) +
            " files\n"
            "Max locked memory         1                    " +
            std::to_string(locked) + " bytes\n");
  }
  std::vector<advice> all(std::uint64_t clients = 65536) const {
    return advise(machine_tree(tree_.root()), {.workers = 4, .clients = clients});
  }
  // The only piece there is.
  advice one(std::uint64_t clients = 65536) const {
    const std::vector<advice> list = all(clients);
    std::string about;
    for (const advice& each : list) about += each.about + ": " + each.saw + "\n";
    EXPECT_EQ(list.size(), 1U) << about;
    return list.empty() ? advice{} : list.front();
  }
  fake_tree tree_;
};

TEST_F(TuneAdvice, NoneWhereNoneIsNeeded) { EXPECT_TRUE(all().empty()) << all().front().saw; }

TEST_F(TuneAdvice, NoneIsGivenOnWhatIsNotSeen) {
  const fake_tree nothing;
  EXPECT_TRUE(advise(machine_tree(nothing.root()), {.workers = 4}).empty());
}

TEST_F(TuneAdvice, AGovernorThatSavesPower) {
  put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
  put("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
  EXPECT_EQ(one().about, "CPU governor");
  EXPECT_EQ(one().saw, "powersave on CPUs 1-2");
  EXPECT_NE(one().command.find("echo performance"), std::string::npos);
}

TEST_F(TuneAdvice, HugePagesForEverything) {
  put("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  EXPECT_EQ(one().about, "transparent huge pages");
  EXPECT_EQ(one().command, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
}

TEST_F(TuneAdvice, ASecondNode) {
  put("/sys/devices/system/node/online", "0-1\n");
  put("/sys/devices/system/node/node0/cpulist", "0-1\n");
  put("/sys/devices/system/node/node1/cpulist", "2-3\n");
  put("/sys/devices/pci0/card/virtio2/numa_node", "1\n");
  put("/proc/sys/kernel/numa_balancing", "0\n");
  EXPECT_EQ(one().saw, "node 0: CPUs 0-1, node 1: CPUs 2-3, eth0 at node 1");
  EXPECT_NE(one().command.find("CPUAffinity=2-3 NUMAPolicy=bind NUMAMask=1"), std::string::npos)
      << one().command;
  put("/sys/devices/pci0/card/virtio2/numa_node", "-1\n");
  EXPECT_NE(one().command.find("CPUAffinity=0-1"), std::string::npos) << one().command;
  put("/proc/sys/kernel/numa_balancing", "1\n");
  ASSERT_EQ(all().size(), 2U);
  EXPECT_EQ(all()[1].about, "NUMA balancing");
}

TEST_F(TuneAdvice, TooFewQueues) {
  card(1);
  const std::vector<advice> list = all();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].about, "eth0 queues");
  EXPECT_EQ(list[0].saw, "queues to receive: 1, workers: 4");
  EXPECT_EQ(list[0].command, "ethtool -L eth0 combined 4");
  EXPECT_EQ(list[1].about, "eth0 RPS");
  EXPECT_EQ(list[1].command,
            "for q in /sys/class/net/eth0/queues/rx-*; do echo f > $q/rps_cpus; done");
  put("/sys/class/net/eth0/queues/rx-0/rps_cpus", "f\n");
  EXPECT_EQ(one().about, "eth0 queues");
}

TEST_F(TuneAdvice, AllInterruptsOnOneCpu) {
  for (const char* irq : {"40", "41", "42", "43"}) {
    put(std::string("/proc/irq/") + irq + "/effective_affinity_list", "2\n");
  }
  EXPECT_EQ(one().about, "eth0 interrupts");
  EXPECT_EQ(one().saw, "queues: 4, interrupts on CPUs 2 alone");
  EXPECT_NE(one().command.find("/device/../msi_irqs"), std::string::npos) << one().command;
}

TEST_F(TuneAdvice, QueuesToSendThatNobodyOwns) {
  for (const char* queue : {"0", "1", "2", "3"}) {
    put(std::string("/sys/class/net/eth0/queues/tx-") + queue + "/xps_cpus", "00000000,00000000\n");
  }
  EXPECT_EQ(one().about, "eth0 XPS");
  EXPECT_NE(one().command.find("seq 0 3"), std::string::npos) << one().command;
}

TEST_F(TuneAdvice, ACardThatIsDownOrNoneIsNoMatter) {
  card(1);
  put("/sys/class/net/eth0/operstate", "down\n");
  EXPECT_TRUE(all().empty());
}

TEST_F(TuneAdvice, TooFewDescriptors) {
  limits("self", 20000, 8388608);
  EXPECT_EQ(one().saw, "RLIMIT_NOFILE 20000 (of this shell: no gate runs)");
  EXPECT_EQ(one().command, "systemctl edit ringward   # [Service] LimitNOFILE=131840");
}

TEST_F(TuneAdvice, TooLittleLockedMemory) {
  limits("self", 200000, 65536);
  EXPECT_EQ(one().about, "locked memory");
  EXPECT_EQ(one().saw, "RLIMIT_MEMLOCK 65536 (of this shell: no gate runs)");
}

TEST_F(TuneAdvice, NoLimitIsNone) {
  put("/proc/self/limits",
      "Max open files            1024                 unlimited            files     \n"
      "Max locked memory         unlimited            unlimited            bytes     \n");
  EXPECT_TRUE(all().empty());
}

// The limits that count are the gate's, when one runs; not this command's, whose name is the same.
TEST_F(TuneAdvice, TheGateThatRunsIsLookedAt) {
  limits("self", 10, 10);
  put("/proc/100/comm", "ringward\n");
  put("/proc/100/cmdline", std::string_view("ringward\0tune\0", 14));
  put("/proc/200/comm", "ringward\n");
  put("/proc/200/cmdline", std::string_view("/usr/bin/ringward\0run\0--config\0x\0", 33));
  put("/proc/200/cgroup", "0::/system.slice/ringward.service\n");
  limits("200", 1024, 8388608);
  EXPECT_EQ(one().saw, "RLIMIT_NOFILE 1024 (of process 200)");
}

TEST_F(TuneAdvice, ACpuQuotaOnTheWayUp) {
  put("/sys/fs/cgroup/user.slice/session.scope/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/user.slice/cpu.max", "250000 100000\n");
  EXPECT_EQ(one().saw, "2.50 CPUs for 4 workers (/sys/fs/cgroup/user.slice/cpu.max)");
  EXPECT_NE(one().wanted.find("server.workers = 2"), std::string::npos) << one().wanted;
  put("/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n");
  EXPECT_TRUE(all().empty());
}

TEST_F(TuneAdvice, TooLittleMemory) {
  put("/sys/fs/cgroup/user.slice/session.scope/memory.max", "536870912\n");
  put("/sys/fs/cgroup/user.slice/memory.max", "max\n");
  EXPECT_EQ(one().saw, "512 MiB (/sys/fs/cgroup/user.slice/session.scope/memory.max)");
  EXPECT_EQ(one().wanted, "832 MiB for 65536 idle clients and 4 workers");
  EXPECT_EQ(one().command, "systemctl set-property ringward.service MemoryMax=832M");
  put("/sys/fs/cgroup/user.slice/session.scope/memory.max", "max\n");
  EXPECT_TRUE(all().empty());
  put("/proc/meminfo", "MemTotal:         500000 kB\n");
  EXPECT_EQ(one().saw, "488 MiB (all that the machine has)");
}

TEST_F(TuneAdvice, AMillionClientsNeedMore) {
  put("/proc/meminfo", "MemTotal:       8000000 kB\n");
  const std::vector<advice> list = all(1000000);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].command, "systemctl edit ringward   # [Service] LimitNOFILE=2000768");
  EXPECT_EQ(list[1].wanted, "9957 MiB for 1000000 idle clients and 4 workers");
}

TEST_F(TuneAdvice, IoUringThatIsSwitchedOff) {
  put("/proc/sys/kernel/io_uring_disabled", "2\n");
  EXPECT_EQ(one().command, "sysctl -w kernel.io_uring_disabled=0");
  put("/proc/sys/kernel/io_uring_disabled", "1\n");
  put("/proc/sys/kernel/io_uring_group", "-1\n");
  EXPECT_NE(one().command.find("kernel.io_uring_group="), std::string::npos);
  put("/proc/sys/kernel/io_uring_group", "110\n");
  EXPECT_TRUE(all().empty());
}

}  // namespace
}  // namespace rw::control
