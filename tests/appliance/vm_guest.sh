#!/usr/bin/env bash
# What vm_test.sh runs inside.
set -u
cd /lab || exit
# shellcheck source=tests/appliance/checks.sh
. ./checks.sh

# Emulation: a start takes a while.
serves() { for _ in $(seq 30); do if until_true answers; then return 0; fi; done; return 1; }
limit() { awk -v of="$1" 'index($0, of) == 1 { print $(NF - 1) }' "/proc/$(gate_pid)/limits"; }
locked_kib() { sed -n 's/^VmLck:[\t ]*\([0-9]*\) kB/\1/p' "/proc/$(gate_pid)/status"; }
cgroup() { cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(gate_pid)/cgroup")/$1"; }

installed() {
  check 'dpkg installs it' dpkg -i debs/*.deb
  check 'it serves' serves
  check 'locked memory has the bound of the unit' is "$(limit 'Max locked memory')" 268435456
  check 'descriptors too, or as many as the kernel gives' [ "$(limit 'Max open files')" -ge 524288 ]
  check "secrets are locked ($(locked_kib) KiB)" [ "$(locked_kib)" -gt 0 ]
  check 'within the 8 MiB that docs/tuning.md says' [ "$(locked_kib)" -le 8192 ]
  bounded
  check 'a profile is applied' tune
}

# 64 MiB + 32 MiB x workers + 10 KiB x clients is what docs/tuning.md says.
bounded() {
  local bytes=$(((64 + 32 * $(nproc)) * 1048576 + 200 * 10240))
  mkdir -p /run/systemd/system/ringward.service.d
  printf '[Service]\nMemoryMax=%s\nMemorySwapMax=0\n' "$bytes" >/run/systemd/system/ringward.service.d/memory.conf
  systemctl daemon-reload
  systemctl restart ringward
  check "it serves with MemoryMax=$bytes" serves
  wrk -t 1 -c 200 -d 10s $url/ >/tmp/wrk 2>&1
  check 'and 200 clients at once' grep -q 'requests in' /tmp/wrk
  check "nothing is killed (memory.peak $(cgroup memory.peak 2>/dev/null || echo unknown))" has "$(cgroup memory.events)" 'oom_kill 0'
  check 'and it still serves' serves
  rm -r /run/systemd/system/ringward.service.d
  systemctl daemon-reload
  systemctl restart ringward
  check 'and without the bound' serves
}

installed
sum_up
