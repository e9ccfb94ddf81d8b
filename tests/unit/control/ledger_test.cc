#include "control/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_tree.h"

namespace rw::control {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

ledger_facts good() {
  return {.kernel = "6.17.0",
          .bounds_receive = true,
          .no_iowait = true,
          .kernel_tls = io::kernel_tls::renewable_keys,
          .tls_library = "5.9.2",
          .tls = {.mlkem = true, .aes_cpu = true},
          .descriptors = 1'000'000,
          .clients_wanted = 65'536,
          .clients_max = 400'000,
          .locked_bytes_max = UINT64_MAX,
          .memory_max = std::uint64_t{8} << 30U,
          .memory_bound = std::uint64_t{4} << 30U,
          .cpus_max = 4,
          .workers = 4,
          .profile = "latency",
          .settings = 20,
          .lockdown = {"lockdown", "whole", ""}};
}

// Of the entry of that name; all others must cost nothing.
ledger_entry only_cost(const ledger_facts& facts, std::string_view what) {
  ledger_entry found;
  for (const ledger_entry& one : ledger_of(facts)) {
    if (one.what == what) {
      found = one;
    } else {
      EXPECT_THAT(one.cost, IsEmpty()) << one.what;
    }
  }
  EXPECT_EQ(found.what, what);
  return found;
}

TEST(Ledger, WhereNothingIsMissingNothingCosts) {
  for (const ledger_entry& one : ledger_of(good())) {
    EXPECT_THAT(one.cost, IsEmpty()) << one.what;
    EXPECT_FALSE(one.is.empty()) << one.what;
  }
}

TEST(Ledger, EachThingThatIsMissingSaysWhatItCosts) {
  auto facts = good();
  facts.bounds_receive = false;
  EXPECT_THAT(only_cost(facts, "receives").cost, HasSubstr("6.17"));
  facts = good();
  facts.no_iowait = false;
  EXPECT_THAT(only_cost(facts, "waiting").cost, HasSubstr("6.15"));
  facts = good();
  facts.kernel_tls = io::kernel_tls::no;
  EXPECT_THAT(only_cost(facts, "kernel TLS").cost, HasSubstr("modprobe tls"));
  facts.kernel_tls = io::kernel_tls::fixed_keys;
  EXPECT_THAT(only_cost(facts, "kernel TLS").cost, HasSubstr("6.14"));
  facts = good();
  facts.tls.mlkem = false;
  EXPECT_EQ(only_cost(facts, "wolfSSL").cost, "it lacks X25519MLKEM768");
  facts.dropped_groups = {"X25519MLKEM768", "P-521"};
  EXPECT_EQ(only_cost(facts, "wolfSSL").cost, "it lacks X25519MLKEM768, P-521");
  facts = good();
  facts.tls.aes_cpu = false;
  EXPECT_THAT(only_cost(facts, "CPU crypto").cost, HasSubstr("AES"));
  facts = good();
  facts.clients_max = 500;
  EXPECT_THAT(only_cost(facts, "descriptors").cost, HasSubstr("500 clients of the 65536"));
  facts = good();
  facts.secrets_locked = false;
  EXPECT_THAT(only_cost(facts, "locked memory").cost, HasSubstr("swap"));
  facts = good();
  facts.memory_bound = std::uint64_t{9} << 30U;
  EXPECT_THAT(only_cost(facts, "memory").cost, HasSubstr("9216 MiB"));
  facts = good();
  facts.cpus_max = 1.5;
  EXPECT_EQ(only_cost(facts, "CPU time").is, "1.50 CPUs");
  EXPECT_THAT(only_cost(facts, "CPU time").cost, HasSubstr("4 workers"));
  facts = good();
  facts.drifted = 3;
  EXPECT_THAT(only_cost(facts, "sysctl").cost, HasSubstr("3 of them differ"));
  facts = good();
  facts.lockdown.cost = "files: all that its user may";
  EXPECT_THAT(only_cost(facts, "lockdown").cost, HasSubstr("files"));
  facts = good();
  facts.memory_max = 0;
  facts.cpus_max = 0;
  facts.profile.clear();
  EXPECT_EQ(only_cost(facts, "sysctl").is, "no profile applied");
}

TEST(Ledger, TheTightestGroupOfAllAboveCounts) {
  fake_tree tree;
  tree.put("/proc/self/cgroup", "0::/system.slice/ringward.service\n");
  tree.put("/sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
  tree.put("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
  tree.put("/sys/fs/cgroup/system.slice/ringward.service/memory.max", "max\n");
  tree.put("/sys/fs/cgroup/system.slice/ringward.service/cpu.max", "150000 100000\n");
  ledger_facts facts;
  read_bounds(machine_tree(tree.root()), facts);
  EXPECT_EQ(facts.memory_max, 1U << 30U);
  EXPECT_DOUBLE_EQ(facts.cpus_max, 1.5);
  EXPECT_NE(facts.locked_bytes_max, 0U);
}

TEST(Ledger, WhereThereAreNoGroupsThereAreNoBounds) {
  fake_tree tree;
  ledger_facts facts;
  read_bounds(machine_tree(tree.root()), facts);
  EXPECT_EQ(facts.memory_max, 0U);
  EXPECT_EQ(facts.cpus_max, 0);
}

}  // namespace
}  // namespace rw::control
